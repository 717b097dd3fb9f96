import type { BeforeQueryEvent } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { COMPONENT } from './fake-settings.js';
import type { TestApp } from './test-app.js';
import { sql } from './token-world.js';

/** Rows that one statement inserts: SQLite takes so many values at the most. */
const INSERT_BATCH = 500;

/** A recorded push that a test puts into the table. */
export interface StoredEvent {
  id: string;
  component: string;
  kind: string;
  infoType: string;
  account: string | null;
  msgType: string | null;
  fromUser: string | null;
  receivedAt: number;
}

/** A message that was received at a time; `changes` make it another. */
export function storedMessage(receivedAt: number, changes: Partial<StoredEvent> = {}): StoredEvent {
  const message = { kind: 'message', infoType: '', account: 'wxfedcba9876543210', msgType: 'text' };
  const component = COMPONENT.appid;
  return { id: uuidv7(), component, ...message, fromUser: 'oFakeUser', receivedAt, ...changes };
}

/** An authorization event about no account that was received at a time. */
export function storedEvent(
  receivedAt: number,
  infoType: string,
  changes: Partial<StoredEvent> = {},
): StoredEvent {
  const event = { kind: 'authorization', infoType, account: null, msgType: null, fromUser: null };
  return storedMessage(receivedAt, { ...event, ...changes });
}

/** Puts pushes into the table as if they had arrived; what they say can't be read. */
export async function storeEvents(
  test: Pick<TestApp, 'app'>,
  events: StoredEvent[],
): Promise<void> {
  for (let at = 0; at < events.length; at += INSERT_BATCH) {
    const rows = events.slice(at, at + INSERT_BATCH);
    await sql(test).query(
      'INSERT INTO callback_event (id, component_appid, kind, info_type, authorizer_appid, ' +
        'msg_type, from_user, received_at, source_address, key_used, dedup_key, outcome, payload)' +
        ` VALUES ${rows.map(() => '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').join(', ')}`,
      rows.flatMap((row) => [
        row.id,
        row.component,
        row.kind,
        row.infoType,
        row.account,
        row.msgType,
        row.fromUser,
        row.receivedAt,
        '127.0.0.1',
        'current',
        row.id,
        'success',
        `enc:v1:t1:${'A'.repeat(400)}`,
      ]),
    );
  }
}

/** A statement as it goes to the database. */
export interface Statement {
  query: string;
  parameters: unknown[];
}

/** The statements that go to the database while `work` runs. */
export async function statementsOf(
  test: Pick<TestApp, 'app'>,
  work: () => Promise<unknown>,
): Promise<Statement[]> {
  const statements: Statement[] = [];
  const { subscribers } = sql(test);
  const listener = {
    beforeQuery: ({ query, parameters = [] }: BeforeQueryEvent): void => {
      statements.push({ query, parameters: parameters as unknown[] });
    },
  };
  subscribers.push(listener);
  try {
    await work();
  } finally {
    subscribers.splice(subscribers.indexOf(listener), 1);
  }
  return statements;
}
