import { sqliteDatabase } from '../lib/hub.mjs';
import { newDatabase } from '../authorizers/mysql-world.mjs';
import { startMysql } from '../lib/mysql.mjs';
import { cpuMs, killAll } from '../lib/processes.mjs';
import { Worker } from './worker.mjs';
import { startHub, subscribe, tally, troubles } from './world.mjs';
const [kind, mode, rate, secs, delayMs, hang] = process.argv.slice(2);
const wechat = new Worker('wechat.mjs'); const responder = new Worker('target.mjs');
let url, db;
if (kind === 'mysql') { const mysql = await startMysql(); db = await newDatabase(mysql, 'bench_prof'); url = db.url; } else url = sqliteDatabase().url;
await wechat.order('addAccounts', { count: 100 });
const hub = await startHub('hub-prof', url, await wechat.order('url'));
if (mode !== 'none') { const { secret } = await subscribe(hub, await responder.order('url'), { mode });
await responder.order('verify', { secret });
await responder.order('behave', { delayMs: Number(delayMs ?? 20), body: mode==='responder'?JSON.stringify({ MsgType: 'text', Content: 'a reply' }):'', hang: hang === 'hang' }); }
for (const seconds of [3, Number(secs)]) {
const before = cpuMs(hub.server);
await wechat.order('load', { port: hub.port, perSecond: Number(rate), seconds, connections: Number(process.env.CONNS ?? 500) });
const r = await wechat.order('end');
console.log(r.outcomes, r.latency, 'late', r.lateness, r.sentPerSecond, 'cpu us', ((cpuMs(hub.server) - before) * 1000) / r.sent, await responder.order('counts'));
}
console.log(tally(troubles(hub)));
hub.server.child.kill('SIGTERM'); await hub.server.exited;
wechat.stop(); responder.stop(); killAll(); if (db) await db.pool.end(); process.exit();
