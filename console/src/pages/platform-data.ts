import type { components } from '../data/api-types';

/** A platform as `GET /admin/components` shows it. */
export type Platform = components['schemas']['Component'];

/** The secrets of a platform, which are changed one by one. */
export const SECRETS = ['appSecret', 'token', 'encodingAesKey'] as const;
