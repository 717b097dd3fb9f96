import type { LookupAddress, LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../common/at-most.js';
import { Clock } from '../common/clock.js';
import { Mutex } from '../common/mutex.js';
import { SingleFlight } from '../common/single-flight.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import {
  AllowedTargets,
  isAddressPermitted,
  parseTarget,
  refusedAddress,
} from './target-address.js';
import { NAME_SOURCES, ownAddresses, SYSTEM_NAMES, type NameSources } from './target-names.js';

/** How long an answer is used, in milliseconds. */
const KEEP_MS = 10_000;
/** How long a failure is: longer than it takes, so that most calls of a dead name end at once. */
const KEEP_FAILURE_MS = 15_000;
const MAX_KEPT = 1000;

/** What was found of a name, or why nothing was. */
interface Kept {
  found: LookupAddress[] | Error;
  at: number;
}

/**
 * Which addresses a target may be reached at. The connection is made to an address that was
 * checked here, and to no other: a name that changes its address in between gains nothing.
 */
@Injectable()
export class TargetLookup {
  private readonly allowed: AllowedTargets;
  /** The system's lookup occupies a thread, and there are few. */
  private readonly systemTurn = new Mutex();
  private readonly asking = new SingleFlight<LookupAddress[]>();
  private readonly kept = new LRUCache<string, Kept>({ ...atMost(MAX_KEPT) });
  /**
   * Of each call a hundredth went into parsing its URL; a refusal throws, so none is kept. Nobody
   * changes a URL that is.
   */
  private readonly parsed = new LRUCache<string, URL>({
    ...atMost(MAX_KEPT),
    memoMethod: (url) => parseTarget(url, this.allowed),
  });

  constructor(
    @Inject(APP_CONFIG) config: Pick<AppConfig, 'delivery'>,
    private readonly clock: Clock,
    @Optional() @Inject(NAME_SOURCES) private readonly names: NameSources = SYSTEM_NAMES,
  ) {
    this.allowed = new AllowedTargets(config.delivery.allowedTargets);
  }

  /** The URL of a target, checked as far as it can be without a resolver. @throws {TargetRefusedError} */
  parse(url: string): URL {
    // WeChat's form has a query of its own for each push.
    return url.includes('?') ? parseTarget(url, this.allowed) : this.parsed.memo(url);
  }

  /** For `net.connect`: gives permitted addresses only. */
  readonly lookup: LookupFunction = (host, options, callback) => {
    void this.answer(host, options, callback);
  };

  private async answer(...[host, options, callback]: Parameters<LookupFunction>): Promise<void> {
    const found = await this.permitted(host, options).catch((error: Error) => error);
    if (found instanceof Error) return callback(found, []);
    if (options.all) return callback(null, found);
    return callback(null, found[0]?.address ?? '', found[0]?.family);
  }

  private async permitted(host: string, { family }: LookupOptions): Promise<LookupAddress[]> {
    const found = await this.addressesOf(host);
    const fitting = family === 4 || family === 6 ? found.filter((a) => a.family === family) : found;
    if (this.allowed.hasHost(host.toLowerCase())) return fitting;
    const permitted = fitting.filter(({ address }) => isAddressPermitted(address, this.allowed));
    if (permitted.length === 0) throw refusedAddress();
    return permitted;
  }

  private async addressesOf(host: string): Promise<LookupAddress[]> {
    const own = ownAddresses(host);
    if (own) return own;
    const kept = this.kept.get(host);
    if (!kept || this.isOld(kept)) return this.asking.run(host, () => this.ask(host));
    if (kept.found instanceof Error) throw kept.found;
    return kept.found;
  }

  private isOld({ found, at }: Kept): boolean {
    const age = this.clock.elapsed() - at;
    return age >= (found instanceof Error ? KEEP_FAILURE_MS : KEEP_MS);
  }

  private async ask(host: string): Promise<LookupAddress[]> {
    const found = await this.find(host).catch((error: Error) => error);
    this.kept.set(host, { found, at: this.clock.elapsed() });
    if (found instanceof Error) throw found;
    return found;
  }

  private async find(host: string): Promise<LookupAddress[]> {
    const found = await this.names.dns(host).catch((error: Error) => error);
    if (!(found instanceof Error) && found.length > 0) return found;
    if (this.allowed.hasHost(host.toLowerCase())) {
      return this.systemTurn.run(() => this.names.system(host));
    }
    if (found instanceof Error) throw found;
    throw Object.assign(new Error('The name has no address'), { code: 'ENOTFOUND' });
  }
}
