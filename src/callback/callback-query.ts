import { HubError } from '../common/hub-error.js';

/** Query of a push: what `msg_signature` covers besides the body. */
export interface PushQuery {
  timestamp: string;
  nonce: string;
  msgSignature: string;
}

/** Query of the check that WeChat's console makes of a URL. */
export interface UrlCheckQuery {
  signature: string;
  timestamp: string;
  nonce: string;
  echostr: string;
}

/** Longest parameter that is looked at. */
const MAX_LENGTH = 256;

/** @throws {HubError} 400 `parameter_missing`, `parameter_invalid` or `encrypt_type_unsupported` */
export function readPushQuery(query: Record<string, unknown>): PushQuery {
  const encryptType = query.encrypt_type;
  if (encryptType !== undefined && encryptType !== 'aes') {
    throw new HubError(
      'encrypt_type_unsupported',
      'A third-party platform gets encrypted pushes only: encrypt_type must be aes',
      { status: 400, level: 'warn' },
    );
  }
  return {
    timestamp: parameter(query, 'timestamp'),
    nonce: parameter(query, 'nonce'),
    msgSignature: parameter(query, 'msg_signature'),
  };
}

/** @throws {HubError} 400 `parameter_missing` or `parameter_invalid` */
export function readUrlCheckQuery(query: Record<string, unknown>): UrlCheckQuery {
  return {
    signature: parameter(query, 'signature'),
    timestamp: parameter(query, 'timestamp'),
    nonce: parameter(query, 'nonce'),
    echostr: parameter(query, 'echostr'),
  };
}

function parameter(query: Record<string, unknown>, name: string): string {
  const value = query[name];
  if (value === undefined || value === '') {
    throw new HubError('parameter_missing', `The query parameter ${name} is missing`, {
      status: 400,
    });
  }
  if (typeof value !== 'string' || value.length > MAX_LENGTH) {
    throw new HubError('parameter_invalid', `The query parameter ${name} is malformed`, {
      status: 400,
    });
  }
  return value;
}
