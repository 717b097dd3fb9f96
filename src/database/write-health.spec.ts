import { describe, expect, it } from 'vitest';
import { WriteFootprint, WriteHealth } from './write-health.js';
import { probeSize } from './write-probe.js';

function footprint(tables: string[], size = 0): WriteFootprint {
  const made = new WriteFootprint();
  for (const table of tables) made.add(`INSERT INTO ${table} (a) VALUES (?)`);
  made.size = size;
  return made;
}

describe('WriteFootprint', () => {
  it.each([
    ['INSERT INTO callback_event (id) VALUES (?)', 'callback_event'],
    ['INSERT INTO `setting`(`name`) VALUES (?)', 'setting'],
    ['INSERT INTO "setting"("name") VALUES (?)', 'setting'],
    ['insert or ignore into "setting" ("name") values (?)', 'setting'],
    ['INSERT IGNORE INTO `setting` (`name`) VALUES (?)', 'setting'],
    ['REPLACE INTO setting VALUES (?)', 'setting'],
    ["\n  UPDATE delivery SET status = 'x' WHERE id = ?", 'delivery'],
    ['UPDATE `delivery` SET a = ?', 'delivery'],
    ['DELETE FROM "delivery_attempt" WHERE id = ?', 'delivery_attempt'],
    ['SELECT * FROM delivery WHERE id = ? FOR UPDATE', undefined],
    ['BEGIN TRANSACTION', undefined],
    ['COMMIT', undefined],
    ['PRAGMA wal_checkpoint(TRUNCATE)', undefined],
  ])('%j writes to %s', (statement, table) => {
    const made = new WriteFootprint();
    made.add(statement, ['12345', Buffer.alloc(10), 7, null]);
    expect([...made.tables]).toEqual(table === undefined ? [] : [table]);
    expect(made.size).toBe(table === undefined ? 0 : 31);
  });
});

describe('WriteHealth', () => {
  const PUSH = footprint(['callback_event', 'delivery'], 100_000);

  it.each([
    ['the same work', footprint(['delivery', 'callback_event'], 100_000), false],
    ['the same and more', footprint(['delivery', 'callback_event', 'audit'], 300_000), false],
    ['a little less of the same', footprint(['delivery', 'callback_event'], 70_000), false],
    ['much less of the same', footprint(['delivery', 'callback_event'], 2000), true],
    ['a part of it', footprint(['callback_event'], 900_000), true],
    ['other work', footprint(['audit'], 900_000), true],
    ['nothing', footprint([]), true],
  ])('after %s it fails or not', (_, success, failing) => {
    const health = new WriteHealth();
    expect(health.isFailing).toBe(false);
    health.failed(PUSH, 'SQLITE_FULL', 5);
    health.succeeded(success);
    expect(health.isFailing).toBe(failing);
    expect(health.last).toEqual({
      at: 5,
      tables: ['callback_event', 'delivery'],
      code: 'SQLITE_FULL',
    });
  });

  it.each([
    ['as heavy', 'SQLITE_FULL', probeSize(100_000), 0, false],
    ['lighter', 'SQLITE_FULL', probeSize(50_000), 0, true],
    ['that began before the failure', 'SQLITE_FULL', probeSize(100_000), -1000, true],
    [
      'soon after a lock that was not given',
      'ER_LOCK_WAIT_TIMEOUT',
      probeSize(100_000),
      5000,
      true,
    ],
    ['long after it', 'ER_LOCK_WAIT_TIMEOUT', probeSize(100_000), 11_000, false],
  ])('after a probe %s it fails or not', (_, code, size, laterMs, failing) => {
    const health = new WriteHealth();
    health.failed(PUSH, code, 5);
    health.probed(size, performance.now() + laterMs);
    expect(health.isFailing).toBe(failing);
  });

  it('keeps the largest failure of a kind, and all kinds', () => {
    const health = new WriteHealth();
    health.failed(PUSH, 'SQLITE_FULL', 5);
    health.failed(footprint(['callback_event', 'delivery'], 10), 'SQLITE_FULL', 6);
    health.failed(footprint([]), 'SQLITE_BUSY', 7);
    expect(health.probeSize).toBe(probeSize(100_000));
    health.succeeded(footprint(['audit'], 10));
    expect([health.isFailing, health.last?.code]).toEqual([true, 'SQLITE_BUSY']);
    health.succeeded(PUSH);
    expect(health.isFailing).toBe(false);
  });

  it('asks for a probe that can be had however large the failure was', () => {
    const health = new WriteHealth();
    health.failed(footprint(['callback_event'], 1e9), 'SQLITE_FULL', 5);
    health.probed(health.probeSize, performance.now());
    expect(health.isFailing).toBe(false);
  });
});
