import { createHmac, randomBytes } from 'node:crypto';
import { Secret } from '../common/secret.js';
import type { Subscription } from './subscription.js';
import { HOUR_MS } from '../common/times.js';

/** Standard Webhooks asks for 24 to 64. */
const SECRET_BYTES = 32;
const SECRET_PREFIX = 'whsec_';
/** How long both secrets sign after a change, so that a receiver can change over. */
const PREVIOUS_SECRET_HOURS = 24;

/** Headers of Standard Webhooks. */
export interface WebhookHeaders {
  'webhook-id': string;
  'webhook-timestamp': string;
  'webhook-signature': string;
}

/** A new secret in the form of Standard Webhooks. */
export function newWebhookSecret(): Secret {
  return new Secret(`${SECRET_PREFIX}${randomBytes(SECRET_BYTES).toString('base64')}`);
}

/**
 * Until when the secret before the last change signs too, in Unix milliseconds; null without one
 * that can be read: a secret on its way out is no reason to send nothing.
 */
export function previousSecretUntil(
  subscription: Pick<Subscription, 'previousSecret' | 'secretChangedAt'>,
): number | null {
  const { previousSecret, secretChangedAt } = subscription;
  if (previousSecret === null || previousSecret.problem) return null;
  return secretChangedAt + PREVIOUS_SECRET_HOURS * HOUR_MS;
}

/**
 * Signs a delivery as Standard Webhooks says, with both secrets for a while after a change.
 * @param at Unix milliseconds.
 */
export function signedHeaders(
  subscription: Pick<Subscription, 'secret' | 'previousSecret' | 'secretChangedAt'>,
  id: string,
  at: number,
  body: string,
): WebhookHeaders {
  const timestamp = String(Math.floor(at / 1000));
  const signed = `${id}.${timestamp}.${body}`;
  const both = at < (previousSecretUntil(subscription) ?? 0);
  const secrets = [subscription.secret, both ? subscription.previousSecret : null];
  const signatures = secrets
    .filter((secret) => secret !== null)
    .map((secret) => `v1,${hmac(secret.reveal(), signed)}`);
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  };
}

/** By Node's own code: the library of Standard Webhooks, by which tests verify, hashes in JavaScript. */
function hmac(secret: string, text: string): string {
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64');
  return createHmac('sha256', key).update(text).digest('base64');
}
