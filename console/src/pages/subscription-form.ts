import type { Subscription } from '../data/subscriptions';
import type { Kind } from './subscription-scope';

/** What the editor holds; empty lists stand for all. */
export interface SubscriptionForm {
  name: string;
  url: string;
  mode: 'responder' | 'subscriber';
  format: 'json' | 'raw' | 'wechat';
  componentAppId: string;
  authorizerAppId: string;
  kinds: Kind[];
  types: string[];
  ordered: boolean;
  lateReply: boolean;
  splitText: boolean;
  budgetMs: number;
  /** Of the format wechat: empty leaves what is stored, or lets the hub make it. */
  token: string;
  encodingAesKey: string;
}

export const BUDGET = { least: 100, most: 4500 } as const;

export function newForm(componentAppId = ''): SubscriptionForm {
  return {
    name: '',
    url: '',
    mode: 'subscriber',
    format: 'json',
    componentAppId,
    authorizerAppId: '',
    kinds: [],
    types: [],
    ordered: false,
    lateReply: false,
    splitText: true,
    budgetMs: BUDGET.most,
    token: '',
    encodingAesKey: '',
  };
}

export function formOf(one: Subscription): SubscriptionForm {
  const { name, url, mode, ordered, lateReply, splitText, budgetMs } = one;
  return {
    ...newForm(one.componentAppId ?? ''),
    name,
    url,
    mode,
    ordered,
    lateReply,
    splitText,
    budgetMs,
    format: one.format,
    authorizerAppId: one.authorizerAppId ?? '',
    kinds: [...(one.kinds ?? [])],
    types: [...(one.types ?? [])],
  };
}

/** As the hub is sent it. */
export function bodyOf(form: SubscriptionForm) {
  const { token, encodingAesKey, componentAppId, authorizerAppId, kinds, types, ...plain } = form;
  const isWechat = form.format === 'wechat';
  return {
    ...plain,
    componentAppId: componentAppId || null,
    authorizerAppId: authorizerAppId || null,
    kinds: kinds.length > 0 ? [...kinds] : null,
    types: types.length > 0 ? [...types] : null,
    ...(isWechat && token && { token }),
    ...(isWechat && encodingAesKey && { encodingAesKey }),
  };
}
