import { computed } from 'vue';
import { answerOf } from './api';
import { useLive } from './use-live';

/** The platforms, for switches and for their names; one request for all who ask. */
export function usePlatforms() {
  const live = useLive({
    key: ['components'],
    read: (api) => answerOf(api.GET('/admin/components')),
  });
  const platforms = computed(() => live.data.value ?? []);
  const nameOf = (appid: string): string =>
    platforms.value.find(({ componentAppId }) => componentAppId === appid)?.name || appid;
  return { ...live, platforms, nameOf };
}
