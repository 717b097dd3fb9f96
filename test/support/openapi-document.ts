import { COMPONENT } from './fake-settings.js';
import type { HubClient } from './hub-client.js';

/** A route as `/docs-json` has it. */
export interface Operation {
  method: string;
  /** With the component's appid in the place of parameters. */
  path: string;
  responses: Record<
    string,
    { $ref?: string; content?: Record<string, { schema?: any; example?: unknown }> }
  >;
  security?: unknown[];
  parameters?: { name: string }[];
  /** The action under which the route is recorded. */
  'x-audit'?: string;
  /** The scope that opens it; `none` where everybody may try. */
  'x-scope'?: string;
}

/** Every route that the documentation has. */
export async function operations(hub: HubClient): Promise<Operation[]> {
  const { json } = await hub.get('/docs-json');
  const resolve = (response: any): any =>
    json.components.responses[response.$ref?.split('/').at(-1)] ?? response;
  return Object.entries<Record<string, Omit<Operation, 'method' | 'path'>>>(json.paths).flatMap(
    ([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        ...operation,
        responses: Object.fromEntries(
          Object.entries(operation.responses).map(([status, one]) => [status, resolve(one)]),
        ),
        method: method.toUpperCase(),
        path: path.replaceAll(/\{\w+\}/g, COMPONENT.appid),
      })),
  );
}
