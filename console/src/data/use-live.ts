import { useQuery } from '@tanstack/vue-query';
import { computed, onScopeDispose, ref, toValue, type MaybeRefOrGetter } from 'vue';
import { ApiError, apiFor, type Api } from './api';

/** Whether lists and pages renew themselves; one switch for all, until the page is left. */
export const liveSwitch = ref(true);

/** Asked again by itself: what says that the same answer would come is not. */
function worthRetrying(count: number, error: Error): boolean {
  if (error instanceof ApiError && error.status !== 0 && error.status < 500) return false;
  return count < 2;
}

export interface LiveOptions<T> {
  /** What is asked for: everything that the answer depends on. */
  key: MaybeRefOrGetter<readonly unknown[]>;
  /** Asks, by the client that it gets: `(api) => answerOf(api.GET('/admin/tickets'))`. */
  read: (api: Api, background: boolean) => Promise<T>;
  /** Milliseconds between two polls; without it the answer is asked for once. */
  every?: MaybeRefOrGetter<number | undefined>;
  /** Nothing is asked for while it is false. */
  enabled?: MaybeRefOrGetter<boolean>;
}

/**
 * What the hub says, renewed by polls that do not count as use of the session and stop in hidden
 * tabs. Not for reads that are audited or that call WeChat: {@link useOnce}.
 */
export function useLive<T>({ key, read, every, enabled = true }: LiveOptions<T>) {
  let polling = false;
  const query = useQuery({
    queryKey: computed(() => [...toValue(key)]),
    queryFn: () => read(apiFor(polling), polling),
    enabled: computed(() => toValue(enabled)),
    retry: worthRetrying,
    // Old figures, greyed by `error`, are better than none; another key has figures of its own.
    refetchOnWindowFocus: false,
    staleTime: 1000,
  });
  const poll = async (): Promise<void> => {
    if (document.hidden || !liveSwitch.value || !toValue(enabled)) return;
    polling = true;
    // The client is chosen while the call begins.
    const asked = query.refetch({ cancelRefetch: false });
    await asked.finally(() => (polling = false));
  };
  usePolls(every, () => void poll());
  return {
    data: query.data,
    error: query.error,
    /** Nothing has come yet. */
    pending: query.isPending,
    fetching: query.isFetching,
    /** When the answer came, in Unix milliseconds; 0 before the first. */
    updatedAt: query.dataUpdatedAt,
    isLive: computed(() => toValue(every) !== undefined),
    again: () => query.refetch(),
  };
}

/** Polls every so many milliseconds, and as soon as the tab is shown again. */
function usePolls(every: MaybeRefOrGetter<number | undefined>, poll: () => void): void {
  let polledAt = Date.now();
  const timer = setInterval(() => {
    const pause = toValue(every);
    if (pause === undefined || Date.now() - polledAt < pause) return;
    polledAt = Date.now();
    poll();
  }, 500);
  const onShown = (): void => {
    if (!document.hidden && toValue(every) !== undefined) poll();
  };
  document.addEventListener('visibilitychange', onShown);
  onScopeDispose(() => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', onShown);
  });
}

/** A read that leaves a record or calls WeChat: made when `enabled`, once, and never by itself again. */
export function useOnce<T>(options: Omit<LiveOptions<T>, 'every'>) {
  const query = useQuery({
    queryKey: computed(() => [...toValue(options.key)]),
    queryFn: () => options.read(apiFor(false), false),
    // The frame does not repeat it either.
    meta: { once: true },
    enabled: computed(() => toValue(options.enabled ?? true)),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
    refetchOnMount: false,
    refetchOnReconnect: false,
    refetchOnWindowFocus: false,
  });
  return {
    data: query.data,
    error: query.error,
    pending: query.isPending,
    fetching: query.isFetching,
    again: () => query.refetch(),
  };
}
