import { AsyncLocalStorage } from 'node:async_hooks';

export interface RequestContext {
  readonly id: string;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** Runs `work` so that every log line and error below it carries `id`. */
export function runWithRequestId<T>(id: string, work: () => T): T {
  return storage.run({ id }, work);
}

/**
 * The push, call or job under way, for what belongs to it alone: each storage of its own would make
 * every promise of the process dearer.
 */
export function currentRequest(): RequestContext | undefined {
  return storage.getStore();
}

/** The id of the push, call or job under way; undefined outside of one. */
export function currentRequestId(): string | undefined {
  return storage.getStore()?.id;
}
