import { SecretBox } from '../../src/secrets/secret-box.js';
import { elementOf, openReply } from './message-crypto.js';
import type { Answer } from './hub-client.js';
import { createTestApp, type TestApp, type TestAppOptions } from './test-app.js';
import { sql } from './token-world.js';

/** A hub whose services are on this machine. */
export function messageHub(options: TestAppOptions): Promise<TestApp> {
  const env = { DELIVERY_ALLOWED_TARGETS: '127.0.0.1', ...options.env };
  return createTestApp({ ...options, env });
}

/** A recorded message as it stands in the database, decrypted. */
export interface RecordedMessage {
  id: string;
  kind: string;
  component_appid: string;
  authorizer_appid: string | null;
  info_type: string;
  msg_type: string | null;
  event: string | null;
  from_user: string | null;
  create_time: number | null;
  outcome: string;
  reply: string | null;
  payload: string;
}

/** Messages and events, in the order of arrival. */
export async function recordedMessages(test: Pick<TestApp, 'app'>): Promise<RecordedMessage[]> {
  const rows: RecordedMessage[] = await sql(test).query(
    "SELECT * FROM callback_event WHERE kind <> 'authorization' ORDER BY id",
  );
  const box = test.app.get(SecretBox);
  const open = (column: string, { id }: RecordedMessage, value: string): string =>
    box.open(value, `callback_event.${column}:${id}`).reveal();
  return rows.map((row) => ({
    ...row,
    create_time: row.create_time === null ? null : Number(row.create_time),
    payload: open('payload', row, row.payload),
    reply: row.reply === null ? null : open('reply', row, row.reply),
  }));
}

/** The text of an encrypted text reply; what was answered, where it is none. */
export function replyText({ status, text }: Answer): string {
  if (status !== 200 || !text.startsWith('<xml>')) return `${status} ${text}`;
  const { xml } = openReply(text);
  return elementOf(xml, 'MsgType') === 'text' ? (elementOf(xml, 'Content') ?? '') : xml;
}
