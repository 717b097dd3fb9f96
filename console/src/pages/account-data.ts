import type { components } from '../data/api-types';

export type Account = components['schemas']['AuthorizerDetail'];

export function pathOf({ componentAppId, authorizerAppId }: Account): {
  componentAppId: string;
  authorizerAppId: string;
} {
  return { componentAppId, authorizerAppId };
}
