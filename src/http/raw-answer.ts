import { errorBody, type HubError } from '../common/hub-error.js';

export const JSON_TYPE = 'application/json; charset=utf-8';

/** Headers of every answer: nothing that the hub says about itself is for caches. */
export function answerHeaders(requestId: string): Record<string, string> {
  return {
    'x-request-id': requestId,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  };
}

/** An error as it is answered before there is a framework; the connection closes after it. */
export function closingAnswer(
  error: HubError,
  requestId: string,
): { headers: Record<string, string>; body: string } {
  const body = JSON.stringify(errorBody(error, requestId));
  const headers = {
    ...answerHeaders(requestId),
    connection: 'close',
    'content-type': JSON_TYPE,
    'content-length': String(Buffer.byteLength(body)),
  };
  return { headers, body };
}
