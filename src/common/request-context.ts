import { AsyncLocalStorage } from 'node:async_hooks';

interface RequestContext {
  id: string;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** Runs `work` so that every log line and error below it carries `id`. */
export function runWithRequestId<T>(id: string, work: () => T): T {
  return storage.run({ id }, work);
}

/** The id of the push, call or job under way; undefined outside of one. */
export function currentRequestId(): string | undefined {
  return storage.getStore()?.id;
}
