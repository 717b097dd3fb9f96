import type { WechatSimulator } from './wechat-simulator.js';
import { SimulatorError } from './wechat-error.js';

/** A request to the control API, body parsed. */
export interface ControlRequest {
  /** Values of the `:name` parts of the path. */
  params: Record<string, string>;
  query: URLSearchParams;
  /** The JSON object of the body, `{}` without one. */
  body: Record<string, unknown>;
}

/** One control route; the answer is sent as JSON. */
export interface ControlRoute {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/__sim`, e.g. `/components/:appid`. */
  path: string;
  handle(request: ControlRequest, simulator: WechatSimulator): unknown;
}

/** An optional number of a query or body. */
export function optionalNumber(name: string, value: unknown): number | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const number = Number(value);
  if (Number.isFinite(number)) return number;
  throw new SimulatorError(`${name} must be a number`);
}

/** An optional string of a query or body. */
export function optionalText(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null || typeof value === 'string') return value ?? undefined;
  throw new SimulatorError(`${name} must be a string`);
}

/** The component meant: named, or the only one there is. */
export function oneAppid(component: unknown, simulator: WechatSimulator): string {
  const named = optionalText('component', component);
  if (named !== undefined) return named;
  const [only, ...others] = simulator.state().components;
  if (only && others.length === 0) return only.appid;
  throw new SimulatorError('component must name one of the components');
}
