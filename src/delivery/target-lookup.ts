import type { LookupAddress, LookupOptions } from 'node:dns';
import { lookup as systemLookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock } from '../common/clock.js';
import { SingleFlight } from '../common/single-flight.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import {
  AllowedTargets,
  isAddressPermitted,
  parseTarget,
  refusedAddress,
} from './target-address.js';

/** How long an answer of the resolver is used, in milliseconds. */
const KEEP_MS = 10_000;
const MAX_KEPT = 1000;

/** Asks for the addresses of a name. */
export type Resolve = (host: string) => Promise<LookupAddress[]>;

/**
 * Which addresses a target may be reached at. The connection is made to an address that was
 * checked here, and to no other: a name that changes its address in between gains nothing.
 */
@Injectable()
export class TargetLookup {
  private readonly allowed: AllowedTargets;
  /**
   * The system's resolver occupies a thread while it waits, and there are few: many calls of one
   * dead name take one of them, and those that answer are asked rarely.
   */
  private readonly asking = new SingleFlight<LookupAddress[]>();
  private readonly kept = new LRUCache<string, { found: LookupAddress[]; at: number }>({
    max: MAX_KEPT,
  });
  /** Replaced by tests of names that they can't register. */
  resolve: Resolve = (host) => systemLookup(host, { all: true });

  constructor(
    @Inject(APP_CONFIG) config: Pick<AppConfig, 'delivery'>,
    private readonly clock: Clock,
  ) {
    this.allowed = new AllowedTargets(config.delivery.allowedTargets);
  }

  /** The URL of a target, checked as far as it can be without a resolver. @throws {TargetRefusedError} */
  parse(url: string): URL {
    return parseTarget(url, this.allowed);
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
    const kept = this.kept.get(host);
    const at = this.clock.now();
    if (kept && Math.abs(at - kept.at) < KEEP_MS) return kept.found;
    const found = await this.asking.run(host, () => this.resolve(host));
    this.kept.set(host, { found, at });
    return found;
  }
}
