import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { Secret } from '../common/secret.js';
import type { Subscription } from './subscription.js';
import { HOUR_MS } from '../common/times.js';

/** Standard Webhooks asks for 24 to 64. */
const SECRET_BYTES = 32;
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
  return new Secret(`whsec_${randomBytes(SECRET_BYTES).toString('base64')}`);
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
  const both = at < (previousSecretUntil(subscription) ?? 0);
  const secrets = [subscription.secret, both ? subscription.previousSecret : null];
  const signatures = secrets
    .filter((secret) => secret !== null)
    .map((secret) => new Webhook(secret.reveal()).sign(id, new Date(at), body));
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at / 1000)),
    'webhook-signature': signatures.join(' '),
  };
}
