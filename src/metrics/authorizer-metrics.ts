import { Gauge, type Registry } from 'prom-client';
import type { AuthorizerStore } from '../authorizer/authorizer.store.js';

/** Gauges of the accounts, read when Prometheus asks. A database that is down leaves them out. */
export function observeAuthorizers(registry: Registry, authorizers: AuthorizerStore): void {
  const registers = [registry];
  const accounts: Gauge<'component' | 'status'> = new Gauge({
    name: 'hub_authorizers',
    help: 'Accounts by status: active, revoked, needs_reauthorization, suspended',
    labelNames: ['component', 'status'],
    registers,
    collect: async () => {
      const counts = await authorizers.counts().catch(() => []);
      accounts.reset();
      for (const { componentAppId: component, status, count } of counts) {
        accounts.set({ component, status }, count);
      }
    },
  });
  const lateness: Gauge<'component'> = new Gauge({
    name: 'hub_authorizer_refresh_late_seconds',
    help: 'Seconds since the oldest refresh that is due was due; 0 when none is',
    labelNames: ['component'],
    registers,
    collect: async () => {
      const late = await authorizers.lateness().catch(() => []);
      lateness.reset();
      for (const { componentAppId: component, seconds } of late)
        lateness.set({ component }, seconds);
    },
  });
}
