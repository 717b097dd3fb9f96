/** Sizes of a large hub; its platforms, subscriptions and mix of pushes are in the statements. */
export const LARGE = {
  accounts: 1_000_000,
  pushes: 5_000_000,
  deliveries: 500_000,
  audits: 200_000,
  keys: 3000,
};

const DAY_MS = 86_400_000;
const DAYS = 30;
/** Rows of one statement. */
const CHUNK = 100_000;
const SUBSCRIPTIONS = 20;
/** Shares of accounts: 70, 20 and 10 %. */
export const PLATFORMS = ['wx0000000000000001', 'wx0000000000000002', 'wx0000000000000003'];

/** As the hub would have encrypted it, by its length: lists do not decrypt. */
const sealed = (length) => `'enc:v1:b1:${'x'.repeat(length)}'`;
/** A UUID of version 7 of a time in milliseconds and a number. */
const idOf = (at, number) =>
  `LOWER(CONCAT(LPAD(LEFT(HEX(${at}), LENGTH(HEX(${at})) - 4), 8, '0'), '-', ` +
  `RIGHT(HEX(${at}), 4), '-7000-8000-', LPAD(HEX(${number}), 12, '0')))`;
/** Evenly from 0 to 1, always the same for the same number. */
const chance = (number, salt) => `(CRC32(CONCAT(${number}, '${salt}')) / 4294967296)`;
const oneOf = (values, number, salt) =>
  `ELT(1 + FLOOR(${values.length} * ${chance(number, salt)}), ` +
  `${values.map((value) => `'${value}'`).join(', ')})`;
const accountOf = (number) => `CONCAT('wx', LEFT(MD5(${number}), 16))`;
const platformOf = (number) =>
  `ELT(1 + (MOD(${number}, 10) > 6) + (MOD(${number}, 10) > 8), ` +
  `${PLATFORMS.map((appid) => `'${appid}'`).join(', ')})`;

/**
 * Fills the tables of a hub that has its schema, and nothing else, so that every time lies within
 * the last 30 days. What is pending is due tomorrow.
 * @param query runs a statement on one connection
 */
export async function fill(query, sizes, now = Date.now()) {
  const start = now - DAYS * DAY_MS;
  await query('CREATE TABLE bench_number (i INT PRIMARY KEY)');
  const digits =
    '(SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION ' +
    'SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)';
  await query(
    `INSERT INTO bench_number SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d FROM
     ${digits} a, ${digits} b, ${digits} c, ${digits} e, ${digits} f`,
  );
  const rows = async (table, count, columns) => {
    for (let from = 0; from < count; from += CHUNK) {
      const k = `(${from} + n.i)`;
      const values = Object.values(columns).map((value) =>
        typeof value === 'function' ? value(k) : value,
      );
      await query(
        `INSERT INTO ${table} (${Object.keys(columns).join(', ')}) SELECT ${values.join(', ')}
         FROM bench_number n WHERE n.i < ${Math.min(CHUNK, count - from)} ORDER BY n.i`,
      );
    }
    await query(`ANALYZE TABLE ${table}`);
    process.stdout.write(`  ${table}: ${count} rows\n`);
  };
  const spread = (count) => (k) => `(${start} + FLOOR(${k} * ${(DAYS * DAY_MS) / count}))`;

  await rows('authorizer', sizes.accounts, {
    component_appid: platformOf,
    authorizer_appid: accountOf,
    status: (k) =>
      `CASE WHEN ${chance(k, 's')} < 0.93 THEN 'active' WHEN ${chance(k, 's')} < 0.98 THEN 'revoked'
       WHEN ${chance(k, 's')} < 0.995 THEN 'needs_reauthorization' ELSE 'suspended' END`,
    type: (k) => oneOf(['mini_program', 'official_account', 'mini_program'], k, 't'),
    nick_name: (k) => `CONCAT('商户', ${k})`,
    user_name: (k) => `CONCAT('gh_', LEFT(MD5(CONCAT(${k}, 'gh')), 12))`,
    principal_name: (k) => `CONCAT('某某', FLOOR(${k} / 7), '有限公司')`,
    func_info: (k) => `IF(MOD(${k}, 20000) = 0, '[1,2]', '[1,2,3,4,7,11,15,17,18,19,25,30,31,40]')`,
    info: `'{"authorizer_info":"${'x'.repeat(900)}"}'`,
    refresh_token: sealed(140),
    access_token: sealed(260),
    expires_in: '7200',
    obtained_at: String(now),
    expires_at: String(now + 3 * DAY_MS),
    refresh_at: String(now + 2 * DAY_MS),
    generation: '3',
    attempts: (k) => `IF(MOD(${k}, 5000) = 17, 4, 0)`,
    first_authorized_at: String(start),
    last_authorized_at: String(start),
    used_at: String(now),
    created_at: String(start),
    updated_at: String(now),
  });

  const at = spread(sizes.pushes);
  const what = (k) => `MOD(${k}, 400)`;
  /** A ticket, an authorization event, a message or an event. */
  const byKind = (ticket, authorization, message, event) => (k) =>
    `CASE WHEN ${what(k)} = 0 THEN ${ticket} WHEN ${what(k)} < 5 THEN ${authorization(k)}
     WHEN MOD(${k}, 10) < 7 THEN ${message(k)} ELSE ${event(k)} END`;
  /** A few accounts get most of the pushes. */
  const accountOfPush = (k) => `FLOOR(POW(${chance(k, 'a')}, 3) * ${sizes.accounts})`;
  await rows('callback_event', sizes.pushes, {
    id: (k) => idOf(at(k), k),
    component_appid: (k) => platformOf(accountOfPush(k)),
    kind: byKind(
      "'authorization'",
      () => "'authorization'",
      () => "'message'",
      () => "'event'",
    ),
    info_type: byKind(
      "'component_verify_ticket'",
      (k) => oneOf(['authorized', 'updateauthorized', 'unauthorized'], k, 'i'),
      () => "''",
      () => "''",
    ),
    authorizer_appid: (k) => `IF(${what(k)} = 0, NULL, ${accountOf(accountOfPush(k))})`,
    msg_type: byKind(
      'NULL',
      () => 'NULL',
      (k) => oneOf(['text', 'text', 'text', 'image', 'voice', 'link'], k, 'm'),
      () => "'event'",
    ),
    event: byKind(
      'NULL',
      () => 'NULL',
      () => 'NULL',
      (k) => oneOf(['subscribe', 'unsubscribe', 'CLICK', 'VIEW', 'TEMPLATESENDJOBFINISH'], k, 'e'),
    ),
    from_user: (k) =>
      `IF(${what(k)} < 5, NULL, CONCAT('o', LEFT(MD5(FLOOR(${chance(k, 'u')} * 900000)), 27)))`,
    create_time: (k) => `FLOOR(${at(k)} / 1000)`,
    received_at: (k) => at(k),
    source_address: "'101.226.103.0'",
    key_used: "'current'",
    replay_key: (k) => `CONCAT(FLOOR(${at(k)} / 1000), '-', LEFT(MD5(${k}), 32))`,
    dedup_key: (k) => `CONCAT(FLOOR(${at(k)} / 1000), '-', LEFT(MD5(CONCAT(${k}, 'd')), 32))`,
    outcome: (k) => `IF(MOD(${k}, 9) = 4, 'reply', IF(MOD(${k}, 20000) = 19, 'empty', 'success'))`,
    payload: sealed(500),
  });

  await rows('subscription', SUBSCRIPTIONS, {
    id: (k) => idOf(String(start), k),
    name: (k) => `CONCAT('Service ', ${k})`,
    url: (k) => `CONCAT('http://127.0.0.1:9/', ${k})`,
    secret: sealed(60),
    secret_changed_at: String(start),
    mode: (k) => `IF(MOD(${k}, 10) = 0, 'responder', 'subscriber')`,
    format: "'json'",
    ordered: '0',
    late_reply: '0',
    budget_ms: '4500',
    enabled: '1',
    created_at: String(start),
    updated_at: String(start),
  });

  /** One of every tenth push. */
  const push = (k) => `(${Math.floor(sizes.pushes / sizes.deliveries)} * ${k} + 1)`;
  const dead = (k) => `MOD(${k}, 100) = 50`;
  const pending = (k) => `MOD(${k}, 200) = 25`;
  await rows('delivery', sizes.deliveries, {
    id: (k) => idOf(at(push(k)), k),
    event_id: (k) => idOf(at(push(k)), push(k)),
    subscription_id: (k) =>
      idOf(String(start), `FLOOR(POW(${chance(k, 'q')}, 2) * ${SUBSCRIPTIONS})`),
    status: (k) =>
      `CASE WHEN ${dead(k)} THEN 'dead' WHEN ${pending(k)} THEN 'pending'
       WHEN MOD(${k}, 1000) = 7 THEN 'cancelled' ELSE 'delivered' END`,
    attempts: (k) => `IF(${dead(k)}, 12, 1)`,
    next_attempt_at: (k) => `IF(${pending(k)}, ${now + DAY_MS}, NULL)`,
    last_error: (k) => `IF(${dead(k)}, 'The target answered 500', NULL)`,
    created_at: (k) => at(push(k)),
    finished_at: (k) => `IF(${pending(k)}, NULL, ${at(push(k))} + 200)`,
    component_appid: (k) => platformOf(accountOfPush(push(k))),
    authorizer_appid: (k) => accountOf(accountOfPush(push(k))),
    type: (k) => oneOf(['text', 'text', 'image', 'subscribe', 'CLICK', 'link'], k, 'y'),
  });
  await rows('delivery_attempt', sizes.deliveries, {
    id: (k) => idOf(at(push(k)), k),
    delivery_id: (k) => idOf(at(push(k)), k),
    at: (k) => at(push(k)),
    duration_ms: '40',
    cause: "'schedule'",
    status: '200',
  });

  const auditAt = spread(sizes.audits);
  await rows('audit_record', sizes.audits, {
    id: (k) => idOf(auditAt(k), k),
    at: (k) => auditAt(k),
    actor: (k) => `IF(MOD(${k}, 5) = 0, 'admin', CONCAT('operator:', MOD(${k}, 40)))`,
    actor_kind: (k) => `IF(MOD(${k}, 5) = 0, 'token', 'operator')`,
    actor_name: (k) => `IF(MOD(${k}, 5) = 0, NULL, CONCAT('Person ', MOD(${k}, 40)))`,
    action: (k) => oneOf(['event.read', 'delivery.replay', 'session.open', 'link.made'], k, 'c'),
    target: (k) => `CONCAT('target-', FLOOR(${chance(k, 'g')} * 20000))`,
    outcome: (k) => `IF(MOD(${k}, 50000) = 3, 'token_unauthorized', 'ok')`,
    source_address: "'10.0.0.1'",
  });

  const hour = (k) => `(${now - (now % 3_600_000)} - 3600000 * MOD(${k}, ${DAYS * 24}))`;
  await rows('statistic', DAYS * 24 * 120, {
    id: () => 'UUID()',
    hour,
    kind: (k) => `ELT(1 + MOD(FLOOR(${k} / 720), 4), 'push', 'delivery', 'refresh', 'call')`,
    actor: "''",
    component_appid: (k) => platformOf(`FLOOR(${k} / 720)`),
    authorizer_appid: "''",
    path: (k) => `CONCAT('path-', FLOOR(${k} / 720))`,
    outcome: (k) => `ELT(1 + MOD(FLOOR(${k} / 720), 4), 'success', 'taken', 'success', '0')`,
    count: '17',
  });
  await rows('api_key', sizes.keys, {
    id: (k) => idOf(String(start), k),
    name: (k) => `CONCAT('Service ', ${k})`,
    hash: (k) => `SHA2(${k}, 256)`,
    scopes: `'["token:read"]'`,
    created_at: String(start),
    updated_at: String(start),
  });
  await rows('authorizer_change', sizes.accounts / 5, {
    id: (k) => idOf(spread(sizes.accounts / 5)(k), k),
    component_appid: platformOf,
    authorizer_appid: accountOf,
    at: spread(sizes.accounts / 5),
    what: "'authorized'",
  });
  await rows('authorization_code', 30_000, {
    code_hash: (k) => `SHA2(CONCAT('code', ${k}), 256)`,
    component_appid: platformOf,
    authorizer_appid: accountOf,
    source: "'event'",
    request_id: "''",
    state: "'done'",
    attempts: '1',
    next_attempt_at: String(now),
    received_at: spread(30_000),
  });
  await query('DROP TABLE bench_number');
}
