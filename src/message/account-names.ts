import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../common/at-most.js';
import { authorizerKey, type AuthorizerId } from '../authorizer/authorizer.js';
import { AuthorizerStore } from '../authorizer/authorizer.store.js';
import { Clock } from '../common/clock.js';
import { SingleFlight } from '../common/single-flight.js';

/** Accounts that are remembered. */
const REMEMBERED = 10_000;
/** For how long, in milliseconds: a name never changes, but what has none may get one. */
const NAMED_MS = 600_000;
const UNNAMED_MS = 10_000;

/** The original ids (`gh_…`) of the accounts, from memory: every message asks for one. */
@Injectable()
export class AccountNames {
  private readonly names: LRUCache<string, { userName: string | null }>;
  private readonly loads = new SingleFlight<string | null>();

  constructor(
    private readonly authorizers: AuthorizerStore,
    clock: Clock,
  ) {
    this.names = new LRUCache({ ...atMost(REMEMBERED), perf: clock });
  }

  /** Null for an account that is unknown, or whose information was not fetched yet. */
  userNameOf(id: AuthorizerId): string | null | Promise<string | null> {
    const key = authorizerKey(id);
    const known = this.names.get(key);
    return known ? known.userName : this.loads.run(key, () => this.load(id, key));
  }

  private async load(id: AuthorizerId, key: string): Promise<string | null> {
    const userName = (await this.authorizers.find(id))?.userName ?? null;
    this.names.set(key, { userName }, { ttl: userName === null ? UNNAMED_MS : NAMED_MS });
    return userName;
  }
}
