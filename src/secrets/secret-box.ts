import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../common/at-most.js';
import type { MasterKey } from '../config/variables.js';
import { HubError } from '../common/hub-error.js';
import { constantTimeEqual, Secret } from '../common/secret.js';
import { FILE_KEY_ID } from './master-keys.js';

/** Mark of an encrypted value; what follows is `keyId:base64url(iv | ciphertext | tag)`. */
export const SEALED_PREFIX = 'enc:v1:';
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** For how many values random bytes are drawn at once. */
const IVS_DRAWN = 256;
/** Places of which it is remembered that their problem was logged. */
const REMEMBERED = 10_000;

/** A stored secret cannot be read: its key is not in `MASTER_KEYS`, or the value was tampered with. */
export class SecretUnreadableError extends HubError {
  constructor(location: string, why: string, cause?: unknown) {
    super('secret_unreadable', `The secret in ${location} can't be decrypted: ${why}`, {
      status: 500,
      level: 'error',
      cause,
    });
  }
}

/**
 * Secrets at rest: AES-256-GCM with a random IV. The place of the value (`table.column:row`) is
 * associated data, so a value copied to another row does not decrypt there.
 */
export class SecretBox {
  private readonly logger = new Logger(SecretBox.name);
  private readonly logged = new LRUCache<string, true>({ ...atMost(REMEMBERED) });
  private readonly byId: Map<string, Buffer>;
  private readonly first: MasterKey;
  /** Random bytes, each of which is used once. */
  private ivs = Buffer.alloc(0);

  /** @param keys the first encrypts, all decrypt. */
  constructor(keys: MasterKey[]) {
    const first = keys[0];
    if (!first) throw new Error('At least one master key is needed');
    this.first = first;
    this.byId = new Map(keys.map(({ id, key }) => [id, key]));
  }

  /** Encrypts `value` for its place. */
  seal(value: string, location: string): string {
    const iv = this.nextIv();
    const cipher = createCipheriv('aes-256-gcm', this.first.key, iv);
    cipher.setAAD(Buffer.from(location));
    const sealed = [iv, cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()];
    return `${this.currentPrefix}${Buffer.concat(sealed).toString('base64url')}`;
  }

  /**
   * Decrypts a stored value; one without the mark was written by a version that did not encrypt,
   * or by a setting that keeps it readable, and is taken as it is.
   * @returns for one that cannot be decrypted a Secret whose `problem` is a
   * {@link SecretUnreadableError}; it is logged once for each place, since a person must act.
   */
  open(stored: string, location: string): Secret {
    const secret = new Secret(this.decrypt(stored, location));
    const { problem } = secret;
    if (!problem) this.logged.delete(location);
    else if (!this.logged.has(location)) {
      this.logged.set(location, true);
      this.logger.error(problem.message, { code: problem.code });
    }
    return secret;
  }

  /**
   * 43 characters that only hosts with this key can make of `text`: HMAC-SHA-256 under a key of its
   * own for each purpose, so that what is signed for one is worth nothing for another.
   */
  sign(text: string, purpose: string): string {
    return signature(this.first.key, text, purpose);
  }

  /** Whether {@link sign} made it, under any of the keys. */
  isSigned(text: string, purpose: string, given: string): boolean {
    const keys = [...this.byId.values()];
    return keys.some((key) => constantTimeEqual(signature(key, text, purpose), given));
  }

  /**
   * Encrypts `text` into base64url that is shown to others and stored nowhere, under a key of its own
   * for each purpose.
   * @param stable gives the same each time, so that it can be a name.
   */
  sealToken(text: string, purpose: string, { stable = false } = {}): string {
    const key = derived(this.first.key, `token: ${purpose}`);
    // An IV that the text decides comes again with the same text only.
    const iv = stable
      ? createHmac('sha256', derived(this.first.key, `iv: ${purpose}`))
          .update(text)
          .digest()
      : randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, iv.subarray(0, IV_BYTES));
    const sealed = [iv.subarray(0, IV_BYTES), cipher.update(text, 'utf8'), cipher.final()];
    return Buffer.concat([...sealed, cipher.getAuthTag()]).toString('base64url');
  }

  /** What {@link sealToken} encrypted, under any of the keys; undefined for anything else. */
  openToken(token: string, purpose: string): string | undefined {
    const sealed = Buffer.from(token, 'base64url');
    // Spare bits of the last letter, and letters of no alphabet, would be other spellings of it.
    if (sealed.toString('base64url') !== token || sealed.length < IV_BYTES + TAG_BYTES) {
      return undefined;
    }
    for (const master of this.byId.values()) {
      try {
        return decrypted(sealed, derived(master, `token: ${purpose}`)).toString('utf8');
      } catch {
        // Another key's, or nobody's.
      }
    }
    return undefined;
  }

  /** Whether values under this key can be read. */
  hasKey(id: string): boolean {
    return this.byId.has(id);
  }

  /** Beginning of every value under the first key, to find those that are not. */
  get currentPrefix(): string {
    return `${SEALED_PREFIX}${this.first.id}:`;
  }

  /** Random bytes are drawn for many at once: to ask for them costs more than to have them. */
  private nextIv(): Buffer {
    if (this.ivs.length === 0) this.ivs = randomBytes(IV_BYTES * IVS_DRAWN);
    const iv = this.ivs.subarray(0, IV_BYTES);
    this.ivs = this.ivs.subarray(IV_BYTES);
    return iv;
  }

  private decrypt(stored: string, location: string): string | SecretUnreadableError {
    if (!stored.startsWith(SEALED_PREFIX)) return stored;
    const [keyId = '', encoded = ''] = stored.slice(SEALED_PREFIX.length).split(':');
    const key = this.byId.get(keyId);
    if (!key) return new SecretUnreadableError(location, missingKey(keyId));
    try {
      const sealed = Buffer.from(encoded, 'base64url');
      return decrypted(sealed, key, location).toString('utf8');
    } catch (error) {
      return new SecretUnreadableError(location, 'it was not written for this place', error);
    }
  }
}

/** @throws where it was not sealed under this key, or for another place. */
function decrypted(sealed: Buffer, key: Buffer, location = ''): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(Buffer.from(location));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const plain = decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES));
  return Buffer.concat([plain, decipher.final()]);
}

function signature(key: Buffer, text: string, purpose: string): string {
  return createHmac('sha256', derived(key, `signature: ${purpose}`))
    .update(text)
    .digest('base64url');
}

/** Derived keys, by their master key: to derive one takes longer than to use it. */
const derivedKeys = new WeakMap<Buffer, Map<string, Buffer>>();

/** A key for one use; there are a handful of uses. */
function derived(key: Buffer, use: string): Buffer {
  const known = derivedKeys.get(key) ?? new Map<string, Buffer>();
  derivedKeys.set(key, known);
  const made =
    known.get(use) ?? Buffer.from(hkdfSync('sha256', key, '', `component-hub ${use}`, 32));
  known.set(use, made);
  return made;
}

function missingKey(keyId: string): string {
  const fromFile = keyId.split('-')[0] === FILE_KEY_ID;
  return `MASTER_KEYS has no key "${keyId}"${fromFile ? ' (the content of a master.key)' : ''}`;
}
