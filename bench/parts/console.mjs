import { mysqlDatabase, withoutSync } from '../lib/databases.mjs';
import { ask, startHub } from '../lib/hub.mjs';
import { fill, LARGE, PLATFORMS } from '../lib/large.mjs';
import { kill } from '../lib/processes.mjs';
import { median, number, table, whole } from '../lib/results.mjs';
import { COMPONENT } from '../lib/settings.mjs';

const TURNS = 10;
const LIST_MS = 300;
const OVERVIEW_MS = 50;
const DAY_MS = 86_400_000;
/** Nobody listens there: the lists need no WeChat. */
const NO_WECHAT = 'http://127.0.0.1:9';

/**
 * The first pages of the console's lists on a large MySQL database, with every filter that its
 * pages offer, and the indexes by which the database finds them.
 */
export async function measureConsole({ mysql, quick }) {
  const share = quick ? 0.01 : 1;
  const sizes = Object.fromEntries(
    Object.entries(LARGE).map(([name, count]) => [name, Math.round(count * share)]),
  );
  const database = await mysqlDatabase(mysql, 'bench_console');
  await kill((await startHub('hub-console-empty', database.url, NO_WECHAT)).server);
  await withoutSync(mysql, () => fill(database.query, sizes));
  const hub = await startHub('hub-console', database.url, NO_WECHAT);
  const rows = await measureRoutes(hub, database.query);
  await kill(hub.server);
  await database.drop();
  return { title: 'The console on a large database', text: textOf(sizes, rows) };
}

/** Every route with its times, and how the database finds what it answers. */
export async function measureRoutes(hub, query) {
  await addPlatforms(hub);
  const rows = [];
  for (const path of await paths(hub)) {
    const times = [];
    for (let turn = 0; turn < TURNS; turn += 1) {
      const started = performance.now();
      await ask(hub, 'GET', path);
      times.push(performance.now() - started);
    }
    const limit = path === '/admin/overview' ? OVERVIEW_MS : LIST_MS;
    const row = { path, best: Math.min(...times), median: median(times), limit };
    rows.push({ ...row, ...(await plansOf(hub, path, query)) });
  }
  return rows;
}

async function addPlatforms(hub) {
  const known = new Set(
    (await ask(hub, 'GET', '/admin/components')).map((one) => one.componentAppId),
  );
  for (const componentAppId of PLATFORMS.filter((one) => !known.has(one))) {
    const { appsecret: appSecret, token, encodingAesKey } = COMPONENT;
    const body = { componentAppId, appSecret, token, encodingAesKey };
    await ask(hub, 'POST', '/admin/components', body);
  }
}

/** As the pages ask: each filter by itself, with the platform, and the pairs that people use. */
async function paths(hub) {
  const { events } = await ask(hub, 'GET', '/admin/events?limit=50&kind=message');
  const { authorizerAppId: account, fromUser: user } = events[0];
  const { deliveries } = await ask(hub, 'GET', '/admin/deliveries?limit=1');
  const [{ subscriptionId, eventId }] = deliveries;
  const rare = (await ask(hub, 'GET', '/admin/subscriptions')).at(-1).id;
  const time = (days) => new Date(Date.now() - days * DAY_MS).toISOString();
  const week = `from=${time(7)}&to=${time(6)}`;
  const small = `component=${PLATFORMS[2]}`;
  const lists = {
    authorizers: [
      ...['', small, 'status=suspended', `status=suspended&${small}`, 'type=unknown'],
      ...['type=official_account', 'failing=true', `failing=true&${small}`, 'lacks=7', 'lacks=89'],
      ...['search=wx0fff', 'search=某某77', 'search=nothing-like-it', 'accountStatus=16'],
      ...[`failing=true&status=active&${small}`, 'lacks=7&type=mini_program'],
    ],
    events: [
      ...['', small, 'kind=authorization', `kind=authorization&${small}`, 'kind=message'],
      ...['kind=event', `account=${account}`, `user=${user}`, 'outcome=reply', 'outcome=empty'],
      ...[`outcome=empty&${small}`, 'type=text', 'type=CLICK', 'type=unauthorized', 'type=nothing'],
      ...['delivery=dead', `delivery=dead&${small}`, 'delivery=dead&type=nothing', week],
      ...[`kind=event&type=CLICK&${week}`, `account=${account}&type=text`, `user=nobody`],
      ...[`account=${account}&outcome=empty`, 'unknownAccount=true'],
    ],
    deliveries: [
      ...[
        '',
        small,
        'status=dead',
        'status=pending,dead',
        'status=cancelled',
        `status=dead&${small}`,
      ],
      ...[
        `subscription=${subscriptionId}`,
        `subscription=${rare}`,
        `subscription=${rare}&status=dead`,
      ],
      ...[`account=${account}`, `account=${account}&status=dead`, 'type=text', 'type=nothing'],
      ...[
        'type=CLICK&status=dead',
        `type=CLICK&subscription=${rare}&status=dead`,
        `event=${eventId}`,
      ],
      ...[week, `status=dead&${week}`, `type=text&${week}`, `subscription=${rare}&${week}`],
      ...[`type=CLICK&${small}`, `account=${account}&${week}`],
    ],
    audit: [
      ...['', 'actor=admin', 'actor=nobody', 'actorKind=token', 'actorKind=key', 'outcome=refused'],
      ...['action=event.read', 'action=nothing', 'target=target-7', 'target=nothing', week],
      ...[`outcome=refused&${week}`, 'actor=nobody&action=event.read'],
    ],
  };
  const others = [
    ...['/admin/components', '/admin/subscriptions', '/admin/api-keys?limit=50', '/admin/tickets'],
    ...['/admin/sessions?limit=50', '/admin/operators?limit=50', '/admin/refused-pushes?limit=50'],
    ...['/admin/authorizations?limit=50', '/admin/authorizations/events?limit=10'],
    `/admin/authorizations/events?limit=10&${small}`,
    `/admin/authorizations/events?limit=50&account=${account}`,
    '/admin/statistics?bucket=hour',
    `/admin/statistics?bucket=hour&from=${time(7)}`,
    `/admin/statistics?bucket=day&from=${time(30)}`,
    `/admin/statistics/subscriptions?from=${time(30)}`,
    `/admin/tickets/${PLATFORMS[0]}/history?limit=50`,
    '/admin/instance',
  ];
  const listed = Object.entries(lists).flatMap(([name, filters]) =>
    filters.map((filter) => `/admin/${name}?limit=50${filter && `&${encodeURI(filter)}`}`),
  );
  return ['/admin/overview', ...listed, ...others];
}

/** The statements of one more request, and how the server would find their rows. */
async function plansOf(hub, path, query) {
  const read = async () => {
    const counters = await query("SHOW GLOBAL STATUS LIKE 'Handler_read%'");
    return counters.reduce((sum, { Value: value }) => sum + Number(value), 0);
  };
  await query("SET GLOBAL log_output = 'TABLE'");
  await query('TRUNCATE mysql.general_log');
  const before = await read();
  await query('SET GLOBAL general_log = 1');
  await ask(hub, 'GET', path);
  await query('SET GLOBAL general_log = 0');
  const reads = (await read()) - before;
  const logged = await query(
    "SELECT CONVERT(argument USING utf8mb4) AS text FROM mysql.general_log WHERE command_type IN ('Execute', 'Query')",
  );
  const plans = new Set();
  const statements = [];
  for (const { text } of logged.filter((one) => /^\(?\s*SELECT/i.test(one.text))) {
    // The timers of the hub ask beside it.
    if (
      !/callback_event|delivery|authorizer|audit_record|statistic|api_key|authorization_/.test(text)
    )
      continue;
    const steps = await query(`EXPLAIN ${text}`).catch(() => []);
    for (const { table: name, key, type } of steps.filter((step) => step.table)) {
      plans.add(`${name}: ${key ?? 'no index'} (${type})`);
    }
    statements.push({ text, steps });
  }
  return { reads, plans: [...plans], statements };
}

function textOf(sizes, rows) {
  const head = ['first page of', 'best ms', 'median ms', 'rows read', 'found by'];
  const cells = rows.map(({ path, best, median: middle, reads, plans }) => [
    `\`${path.replace('/admin/', '').replace('limit=50&', '').replace('?limit=50', '')}\``,
    number(best),
    number(middle),
    whole(reads),
    plans.join('; '),
  ]);
  const missed = rows.filter((row) => row.best > row.limit);
  const counts = Object.entries(sizes).map(([name, count]) => `${whole(count)} ${name}`);
  return [
    `${counts.join(', ')}, three platforms, 20 subscriptions, 30 days. The overview within ` +
      `${OVERVIEW_MS} ms, each list within ${LIST_MS} ms (best of ${TURNS}): ` +
      (missed.length === 0
        ? 'reached.'
        : `**missed by ${missed.map(({ path }) => path).join(', ')}**`),
    table([head, ...cells]),
  ].join('\n\n');
}
