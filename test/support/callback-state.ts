import { DataSource } from 'typeorm';
import { expect } from 'vitest';
import { CredentialUses } from '../../src/component/credential-uses.js';
import type { Answer } from './hub-client.js';
import type { TestApp } from './test-app.js';

type Rows = Record<string, unknown>[];

/** Everything that a push could change, as it stands in the database. */
export interface StoredState {
  tickets: Rows;
  tokens: Rows;
  components: Rows;
  audit: Rows;
  /** Recorded pushes, without their payloads. */
  events: Rows;
}

/**
 * Reads the rows themselves, encrypted as they are: what is equal was not written. Uses of
 * credentials are noted beside the answers; they count as what the answer before has left.
 */
export async function storedState({ app }: TestApp): Promise<StoredState> {
  await app.get(CredentialUses).idle();
  const rows = (text: string): Promise<Rows> => app.get(DataSource).query(text);
  return {
    tickets: await rows('SELECT * FROM tb_ComponentVerifyTicket ORDER BY Cvt_Id'),
    tokens: await rows('SELECT * FROM component_access_token ORDER BY component_appid'),
    components: await rows('SELECT * FROM component ORDER BY appid'),
    audit: await rows('SELECT * FROM audit_record ORDER BY id'),
    events: await rows(
      'SELECT id, component_appid, info_type, create_time, outcome FROM callback_event ORDER BY id',
    ),
  };
}

/** A hub with a ticket and a token: what must not change has a value. */
export async function withTicketAndToken(test: TestApp, appid: string): Promise<void> {
  const pushed = await test.simulator.pushTicket(appid);
  expect(pushed).toMatchObject({ status: 200, body: 'success' });
  expect((await test.hub.accessToken(appid)).status).toBe(200);
}

/** A push that was accepted: exactly the 7 bytes, as plain text. */
export function expectSuccess(answer: Answer): void {
  expect(answer.text).toBe('success');
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain\b/);
  expect(answer.headers.get('content-length')).toBe('7');
}

/** What a refusal is: HTTP status, the hub's code, and WeChat's -400xx where it has one. */
export interface Refusal {
  status: number;
  code: string;
  errcode?: number;
}

/** A refusal in the form that all errors have. */
export function expectRefusal(answer: Answer, { status, code, errcode }: Refusal): void {
  expect({
    status: answer.status,
    code: answer.json?.error?.code,
    errcode: answer.json?.error?.errcode,
  }).toEqual({ status, code, errcode });
  expect(answer.json.error.message).toMatch(/\w{2}/);
  expect(answer.json.error.id).toBe(answer.headers.get('x-request-id'));
  expect(answer.json.error.id).toMatch(/^[\da-f-]{36}$/);
}
