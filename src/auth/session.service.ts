import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../common/at-most.js';
import { Clock } from '../common/clock.js';
import { HELD, HeldCopies } from '../common/held-copies.js';
import { SEEN_WITHIN_5_S } from '../common/held-copy.js';
import { HubError } from '../common/hub-error.js';
import { MinuteCount } from '../common/minute-count.js';
import { sha256Hex, type Secret } from '../common/secret.js';
import { senderOf } from '../common/source-address.js';
import { MINUTE_MS } from '../common/times.js';
import type { Caller } from '../http/caller.js';
import { AdminTokenService } from './admin-token.service.js';
import { newKeyId } from './api-key.js';
import { AuditService } from './audit.service.js';
import type { Operator } from './operator.js';
import { OperatorStore } from './operator.store.js';
import { hashPassword, isPassword, refuseWeak } from './password.js';
import {
  callerOf,
  credentialMark,
  isConfirmed,
  LINK_MS,
  nameByLink,
  newValue,
  SESSION_MS,
  sessionRefusal,
  type KnownSession,
  type Session,
} from './session.js';
import { SessionStore } from './session.store.js';

/** Tries to sign in of one address within a minute, … */
const TRIES_PER_ADDRESS = 10;
/** … and of all at this host. */
const TRIES_PER_MINUTE = 60;
const SENDERS = 10_000;
const USER_AGENT_LENGTH = 191;
const UNKNOWN = { actor: 'unknown', name: null } as const;

/** Where somebody signs in from. */
export interface From {
  address: string;
  userAgent?: string;
}

/** What somebody signs in with. */
export type SignIn =
  | { token: string; name: string }
  | { operator: string; password: string }
  | { link: string; name?: string };

/** A session just opened, and the value of its cookie. */
export interface Opened extends KnownSession {
  value: Secret;
}

/** What shows once more who has a session. */
export interface Proof {
  token?: string;
  password?: string;
}

/** Sign-ins of people, and their sessions. */
@Injectable()
export class SessionService {
  private readonly copies: HeldCopies<KnownSession>;
  /** By session: when it was last used here, and when that was last written. */
  private readonly seen = new LRUCache<string, number>({ ...atMost(HELD) });
  private readonly written = new LRUCache<string, number>({ ...atMost(HELD) });
  private readonly tries: MinuteCount;
  private readonly allTries: MinuteCount;
  /** How long the last check of a password took. */
  private checkMs = 0;

  constructor(
    private readonly store: SessionStore,
    private readonly operators: OperatorStore,
    private readonly adminToken: AdminTokenService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {
    this.copies = new HeldCopies((hash) => this.load(hash), clock, SEEN_WITHIN_5_S);
    this.tries = new MinuteCount(clock, SENDERS);
    this.allTries = new MinuteCount(clock, 1);
  }

  /**
   * The session of a cookie, also one that has ended, see {@link refusalOf}.
   * @returns undefined for what is no cookie of this hub, or of a session that was removed.
   */
  find(value: string, address: string): Promise<KnownSession | undefined> {
    return this.copies.get(sha256Hex(value), senderOf(address));
  }

  /** Why a session no longer counts: 401 `session_ended`. */
  refusalOf(known: KnownSession): HubError | undefined {
    const { id, lastSeenAt } = known.session;
    const seenAt = Math.max(lastSeenAt, this.seen.get(id) ?? 0);
    const adminHash = this.adminToken.kept;
    return sessionRefusal(known, { now: this.clock.now(), adminHash, seenAt });
  }

  /** Whether a session is confirmed; another host may have seen that a moment ago. */
  async isConfirmed(value: string, { session }: KnownSession): Promise<boolean> {
    const now = this.clock.now();
    if (isConfirmed(session, now)) return true;
    const fresh = await this.copies.changed(sha256Hex(value));
    return fresh !== undefined && isConfirmed(fresh.session, now);
  }

  /** Keeps a session from ending for an hour more, within its 12. */
  noteUse({ session: { id, lastSeenAt } }: KnownSession): void {
    const now = this.clock.now();
    this.seen.set(id, now);
    if (now - Math.max(lastSeenAt, this.written.get(id) ?? 0) < MINUTE_MS) return;
    this.written.set(id, now);
    // A use in another minute writes it again.
    this.store.noteUse(id, now).catch(() => undefined);
  }

  /**
   * Opens a session.
   * @throws {HubError} 401 `sign_in_failed`; 429 `too_many_attempts`
   */
  async open(signIn: SignIn, from: From): Promise<Opened> {
    if ('link' in signIn) return this.followLink(signIn, from);
    if ('token' in signIn) {
      this.audit.by({ ...UNKNOWN, kind: 'token' });
      await this.checkToken(signIn.token, from);
      return this.add({ openedBy: 'token', name: signIn.name }, undefined, from);
    }
    const operator = await this.operators.findByName(signIn.operator);
    this.tried(operator);
    await this.checkPassword(operator, signIn.password, from);
    if (!operator) throw signInFailed();
    return this.add({ openedBy: 'password', name: operator.name }, operator, from);
  }

  /**
   * Sets the password of who was invited, and opens a session.
   * @throws {HubError} 400 `password_weak`; 401 `link_invalid`; 429 `too_many_attempts`
   */
  async accept(invitation: string, password: string, from: From): Promise<Opened> {
    this.audit.by({ ...UNKNOWN, kind: 'operator' });
    const hash = sha256Hex(invitation);
    const invited = await this.operators.findInvited(hash);
    if (!invited?.enabled) throw this.wrong(from, linkInvalid());
    this.tried(invited);
    refuseWeak(password, invited.name);
    const kept = await hashPassword(password);
    if (!(await this.operators.acceptInvitation(hash, kept))) throw linkInvalid();
    this.copies.forgetAll();
    const operator = { ...invited, password: kept };
    return this.add({ openedBy: 'invitation', name: operator.name }, operator, from);
  }

  /** Makes a link that opens one session of the admin token's owner. */
  async makeLink(name: string, from: From): Promise<{ link: Secret; expiresAt: number }> {
    const { value: link, hash } = newValue();
    const session = this.newSession({ openedBy: 'unopened', name }, undefined, from);
    const expiresAt = session.createdAt + LINK_MS;
    await this.store.add({ ...session, confirmedAt: null, expiresAt }, hash);
    return { link, expiresAt };
  }

  /**
   * Notes that who has the session has given the token or password again.
   * @throws {HubError} 403 `confirmation_failed`; 429 `too_many_attempts`
   */
  async confirm(value: string, { token, password }: Proof, from: From): Promise<KnownSession> {
    const known = await this.find(value, from.address);
    if (!known) throw signInFailed();
    const { session, operator } = known;
    const failed = confirmationFailed();
    if (operator) await this.checkPassword(operator, password ?? '', from, failed);
    else await this.checkToken(token ?? '', from, failed);
    await this.store.confirm(session.id, this.clock.now());
    return (await this.copies.changed(sha256Hex(value))) ?? known;
  }

  /**
   * Changes an operator's own password; all other sessions of theirs end.
   * @throws {HubError} 400 `password_weak`, `no_password`; 403 `confirmation_failed`; 429
   * `too_many_attempts`
   */
  async changePassword(
    value: string,
    { current, password }: { current: string; password: string },
    from: From,
  ): Promise<void> {
    const known = await this.find(value, from.address);
    if (!known?.operator) {
      const message = 'The admin token is changed in the settings of the hub';
      throw new HubError('no_password', message, { status: 400 });
    }
    const { session } = known;
    // The copy of this host may be of before a reset.
    const operator = (await this.operators.find(known.operator.id)) ?? known.operator;
    await this.checkPassword(operator, current, from, confirmationFailed());
    refuseWeak(password, operator.name);
    const kept = await hashPassword(password);
    const checked = operator.password ?? '';
    if (!(await this.operators.replacePassword(operator.id, checked, kept))) {
      throw confirmationFailed();
    }
    await this.store.rebind(session.id, credentialMark(kept, session.id), this.clock.now());
    this.copies.forgetAll();
  }

  /** A page of the sessions that go on, newest first; a page may have fewer than asked for. */
  async page(
    limit: number,
    before?: string,
  ): Promise<{ sessions: KnownSession[]; next: string | null }> {
    const rows = await this.store.page(this.clock.now(), limit, before);
    const known = await Promise.all(rows.map((session) => this.withOperator(session)));
    const next = rows.length === limit ? (rows.at(-1)?.id ?? null) : null;
    return { sessions: known.filter((one) => !this.refusalOf(one)), next };
  }

  /** Here at once, on other hosts within 5 s. @throws {HubError} 404 `session_unknown` */
  async end(id: string): Promise<void> {
    await this.store.remove(id);
    this.copies.forgetAll();
  }

  /** Ends an operator's sessions, for good. */
  async endAllOf(operatorId: string): Promise<void> {
    await this.store.unbindAllOf(operatorId);
    this.copies.forgetAll();
  }

  /** To be called when an operator was changed or removed. */
  operatorsChanged(): void {
    this.copies.forgetAll();
  }

  private async followLink(
    { link, name }: { link: string; name?: string },
    from: From,
  ): Promise<Opened> {
    this.audit.by({ ...UNKNOWN, kind: 'token' });
    const linkHash = sha256Hex(link);
    const found = await this.store.findLink(linkHash, this.clock.now());
    if (!found) throw this.wrong(from, linkInvalid());
    const { value, hash } = newValue();
    const facts = { openedBy: 'link' as const, name: nameByLink(found.name, name) };
    const { id, credential } = found;
    const session = { ...this.newSession(facts, undefined, from), id, credential };
    const known = { session: { ...session, confirmedAt: null }, operator: undefined };
    if (this.refusalOf(known)) throw linkInvalid();
    this.opened(known);
    if (!(await this.store.openLink(linkHash, known.session, hash))) throw linkInvalid();
    return { ...known, value };
  }

  private async add(
    facts: Pick<Session, 'openedBy' | 'name'>,
    operator: Operator | undefined,
    from: From,
  ): Promise<Opened> {
    const { value, hash } = newValue();
    const session = this.newSession(facts, operator, from);
    this.opened({ session, operator });
    await this.store.add(session, hash);
    if (operator) {
      // Only for people to see.
      await this.operators.noteSignIn(operator.id, session.createdAt).catch(() => undefined);
    }
    return { session, operator, value };
  }

  private newSession(
    facts: Pick<Session, 'openedBy' | 'name'>,
    operator: Operator | undefined,
    { address, userAgent = '' }: From,
  ): Session {
    const now = this.clock.now();
    const id = newKeyId(now);
    const kept = operator ? (operator.password ?? '') : this.adminToken.kept;
    return {
      ...facts,
      id,
      operatorId: operator?.id ?? null,
      credential: credentialMark(kept, id),
      confirmedAt: now,
      createdAt: now,
      lastSeenAt: now,
      expiresAt: now + SESSION_MS,
      sourceAddress: address,
      userAgent: userAgent.slice(0, USER_AGENT_LENGTH),
    };
  }

  private opened(known: KnownSession): void {
    const { sessionId: _, ...caller } = callerOf(known);
    this.audit.by(caller);
    this.audit.about(caller.name ?? '*');
  }

  private tried(operator: Operator | undefined): void {
    const { id, name } = operator ?? {};
    const known: Caller = { actor: `operator:${id}`, kind: 'operator', name: name ?? null };
    this.audit.by(operator ? known : { ...UNKNOWN, kind: 'operator' });
    if (name !== undefined) this.audit.about(name);
  }

  /** A right one passes however many were wrong: it is not found by trying. */
  private async checkToken(token: string, from: From, failed = signInFailed()): Promise<void> {
    if (!this.adminToken.hasHash(sha256Hex(token))) throw this.wrong(from, failed);
  }

  private async checkPassword(
    operator: Operator | undefined,
    password: string,
    { address }: From,
    failed = signInFailed(),
  ): Promise<void> {
    const seconds = this.spent(address);
    if (seconds > 0) {
      await delay(this.checkMs);
      throw tooManyTries(seconds);
    }
    const begun = performance.now();
    const isRight = await isPassword(password, operator?.password ?? null);
    this.checkMs = performance.now() - begun;
    if (!isRight || !operator?.enabled) throw failed;
  }

  private wrong({ address }: From, failed: HubError): HubError {
    const seconds = this.spent(address);
    return seconds > 0 ? tooManyTries(seconds) : failed;
  }

  /** Counts a try. @returns the seconds to wait where there were too many, else 0. */
  private spent(address: string): number {
    return (
      this.tries.count(senderOf(address), TRIES_PER_ADDRESS) ||
      this.allTries.count('all', TRIES_PER_MINUTE)
    );
  }

  private async load(hash: string): Promise<KnownSession | undefined> {
    const session = await this.store.find(hash);
    return session && this.withOperator(session);
  }

  private async withOperator(session: Session): Promise<KnownSession> {
    const { operatorId } = session;
    const operator = operatorId === null ? undefined : await this.operators.find(operatorId);
    return { session, operator };
  }
}

function signInFailed(): HubError {
  const message = 'The token, or the name and password, are wrong';
  return new HubError('sign_in_failed', message, { status: 401, level: 'log' });
}

function confirmationFailed(): HubError {
  const message = 'The token or password is wrong';
  return new HubError('confirmation_failed', message, { status: 403, level: 'log' });
}

function linkInvalid(): HubError {
  const message = 'The link is wrong, too old, or was used before';
  return new HubError('link_invalid', message, { status: 401, level: 'log' });
}

function tooManyTries(retryAfterSeconds: number): HubError {
  return new HubError('too_many_attempts', 'Too many tries to sign in', {
    status: 429,
    level: 'log',
    details: { retryAfterSeconds },
  });
}
