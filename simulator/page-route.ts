import type { SimulatorContext } from './api-route.js';

/** A browser's request for a page. */
export interface PageRequest {
  query: URLSearchParams;
  /** The fields of a form. */
  form: URLSearchParams;
  /** The Referer header. */
  referer: string | undefined;
}

/** A page, or the way to another one. */
export interface PageAnswer {
  html?: string;
  /** Where a 302 leads to. */
  redirect?: string;
  /** Done once the answer was sent. */
  afterwards?: () => void;
}

/** One page for a browser. */
export interface PageRoute {
  method: 'GET' | 'POST';
  path: string;
  handle(request: PageRequest, context: SimulatorContext): PageAnswer | Promise<PageAnswer>;
}
