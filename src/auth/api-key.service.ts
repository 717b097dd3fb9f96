import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../common/at-most.js';
import { Clock } from '../common/clock.js';
import { HELD, HeldCopies } from '../common/held-copies.js';
import { SEEN_WITHIN_5_S } from '../common/held-copy.js';
import { HubError } from '../common/hub-error.js';
import { MinuteCount } from '../common/minute-count.js';
import type { Secret } from '../common/secret.js';
import { senderOf } from '../common/source-address.js';
import { MINUTE_MS } from '../common/times.js';
import type { Caller } from '../http/caller.js';
import {
  hasMark,
  isKey,
  keyIdOf,
  keyRefusal,
  newKey,
  newKeyId,
  wishRefusal,
  type ApiKey,
  type ApiKeyValues,
  type Wish,
} from './api-key.js';
import { apiKeyUnknown, ApiKeyStore } from './api-key.store.js';
import { AuditService } from './audit.service.js';

/** Who asks, and for what. */
export interface Asked {
  address: string;
  /** Method and pattern of the route. */
  route: string;
  wish: Wish;
}

/** The API keys: made, changed, and checked with each request from copies of a short life. */
@Injectable()
export class ApiKeyService {
  private readonly copies: HeldCopies<ApiKey>;
  private readonly noted = new LRUCache<string, number>({ ...atMost(HELD) });
  private readonly calls: MinuteCount;

  constructor(
    private readonly store: ApiKeyStore,
    private readonly clock: Clock,
    private readonly audit: AuditService,
  ) {
    this.copies = new HeldCopies((id) => store.find(id), clock, SEEN_WITHIN_5_S);
    this.calls = new MinuteCount(clock, HELD);
  }

  /**
   * The key that a bearer is, if it may do what is asked for.
   * @param hash SHA-256 of the bearer.
   * @returns undefined for what is no key of this hub.
   * @throws {HubError} 401 `key_revoked`, `key_expired`; 403 `missing_scope`, `not_allowed`; 429
   * `rate_limited`
   */
  async check(bearer: string, hash: string, asked: Asked): Promise<ApiKey | undefined> {
    const id = keyIdOf(bearer);
    return id === undefined
      ? undefined
      : this.admit(id, asked, (key, now) => isKey(key, hash, now));
  }

  /** The same for a key that is named by its id and {@link markOf} its secret. @throws {HubError} */
  async checkMark(id: string, mark: string, asked: Asked): Promise<ApiKey | undefined> {
    return this.admit(id, asked, (key, now) => hasMark(key, mark, now));
  }

  /** A page, newest first. */
  page(limit: number, before?: string): Promise<ApiKey[]> {
    return this.store.page(limit, before);
  }

  /** @throws {HubError} 404 `api_key_unknown` */
  async get(id: string): Promise<ApiKey> {
    const key = await this.store.find(id);
    if (!key) throw apiKeyUnknown();
    return key;
  }

  /** Makes a key. This is the only time that it can be shown. */
  async add(values: ApiKeyValues): Promise<{ apiKey: ApiKey; key: Secret }> {
    const id = newKeyId(this.clock.now());
    const { key, hash } = newKey(id);
    await this.store.add(id, hash, values);
    return { apiKey: await this.get(id), key };
  }

  /** @throws {HubError} 404 `api_key_unknown`; 409 `api_key_revoked` */
  async change(id: string, values: Partial<ApiKeyValues>): Promise<ApiKey> {
    await this.store.change(id, values);
    return this.changed(id);
  }

  /**
   * Makes another secret for a key; the old one is accepted for `overlapMs` more.
   * @throws {HubError} 404 `api_key_unknown`; 409 `api_key_revoked`
   */
  async rotate(id: string, overlapMs: number): Promise<{ apiKey: ApiKey; key: Secret }> {
    const { key, hash } = newKey(id);
    await this.store.rotate(id, hash, this.clock.now() + overlapMs);
    return { apiKey: await this.changed(id), key };
  }

  /** Here at once, on other hosts within 5 s. @throws {HubError} 404, 409 if it was revoked before */
  async revoke(id: string): Promise<ApiKey> {
    await this.store.revoke(id);
    return this.changed(id);
  }

  private async admit(
    id: string,
    { address, route, wish }: Asked,
    isIt: (key: ApiKey, now: number) => boolean,
  ): Promise<ApiKey | undefined> {
    const key = await this.copies.get(id, senderOf(address));
    const now = this.clock.now();
    if (!key || !isIt(key, now)) return undefined;
    const refusal = keyRefusal(key, address, now) ?? this.spent(key) ?? wishRefusal(key, wish);
    if (refusal) {
      const { code: outcome, status } = refusal;
      const facts = { caller: callerOfKey(key), target: route, outcome, sourceAddress: address };
      if (status !== 429) this.audit.refused({ ...facts, action: 'access.refused' });
      throw refusal;
    }
    this.noteUse(key, now);
    return key;
  }

  private async changed(id: string): Promise<ApiKey> {
    await this.copies.changed(id);
    return this.get(id);
  }

  private spent({ id, requestsPerMinute }: ApiKey): HubError | undefined {
    if (requestsPerMinute === null) return undefined;
    const retryAfterSeconds = this.calls.count(id, requestsPerMinute);
    if (retryAfterSeconds === 0) return undefined;
    return new HubError('rate_limited', 'The API key has spent its requests of this minute', {
      status: 429,
      level: 'log',
      details: { retryAfterSeconds },
    });
  }

  private noteUse({ id, lastUsedAt }: ApiKey, now: number): void {
    if (now - Math.max(lastUsedAt ?? 0, this.noted.get(id) ?? 0) < MINUTE_MS) return;
    this.noted.set(id, now);
    // Only a hint for people: a use in another minute writes it again.
    this.store.noteUse(id, now).catch(() => undefined);
  }
}

/** Who asks by a key. */
export function callerOfKey({ id, name }: ApiKey): Caller {
  return { actor: `key:${id}`, kind: 'key', name };
}
