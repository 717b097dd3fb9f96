import { newDatabase } from '../authorizers/mysql-world.mjs';
import { sqliteDatabase } from '../lib/hub.mjs';
import { cpuMs, kill } from '../lib/processes.mjs';
import { Worker } from './worker.mjs';
import { settle, startHub, subscribe, tally, troubles } from './world.mjs';

const ACCOUNTS = 100;
const CONNECTIONS = 4000;
const THINKING_MS = 20;
const REPLY = JSON.stringify({ MsgType: 'text', Content: 'a reply' });

/**
 * How soon WeChat has its answer where a responder is asked: one that takes 20 ms, and one that
 * never answers. WeChat decrypts and checks every reply.
 */
export async function measureAnswers({ mysql, settings }) {
  const wechat = new Worker('wechat.mjs');
  const responder = new Worker('target.mjs');
  const own = await newDatabase(mysql, 'bench_answers');
  const sqlite = sqliteDatabase();
  try {
    await wechat.order('addAccounts', { count: ACCOUNTS });
    const world = { wechat, responder, settings };
    return {
      rows: [
        { name: 'hub, SQLite', ...(await measureHub(world, 'hub-answers-sqlite', sqlite.url)) },
        { name: 'hub, MySQL', ...(await measureHub(world, 'hub-answers-mysql', own.url)) },
      ],
    };
  } finally {
    wechat.stop();
    responder.stop();
    await own.drop();
    sqlite.remove();
  }
}

async function measureHub({ wechat, responder, settings }, name, databaseUrl) {
  const hub = await startHub(name, databaseUrl, await wechat.order('url'));
  await settle(hub, wechat, ACCOUNTS);
  const { secret } = await subscribe(hub, await responder.order('url'), { mode: 'responder' });
  await responder.order('verify', { secret });
  const send = async (perSecond, seconds) => {
    const before = cpuMs(hub.server);
    const load = { port: hub.port, perSecond, seconds, connections: CONNECTIONS };
    await wechat.order('load', load);
    const report = await wechat.order('end');
    return { ...report, cpuMicros: ((cpuMs(hub.server) - before) * 1000) / report.sent };
  };
  await responder.order('behave', { delayMs: THINKING_MS, body: REPLY, hang: false });
  await send(settings.answersPerSecond, settings.warmUpMs / 1000);
  const quick = await send(settings.answersPerSecond, settings.answerSeconds);
  const { unsigned } = await responder.order('counts');
  await responder.order('behave', { hang: true });
  const hanging = await send(settings.hangPerSecond, settings.hangSeconds);
  await kill(hub.server);
  return { quick, hanging, unsigned, troubles: tally(troubles(hub)) };
}
