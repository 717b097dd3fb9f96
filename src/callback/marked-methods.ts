import type { DiscoverableDecorator, DiscoveryService, MetadataScanner } from '@nestjs/core';

/** A provider's method that a decorator marks. */
export interface MarkedMethod<H, V> {
  /** Bound to its provider. */
  handler: H;
  /** What the decorator was given. */
  value: V;
}

/** The methods of all providers that a decorator marks. */
export function markedMethods<H extends (...args: never[]) => unknown, V>(
  discovery: DiscoveryService,
  scanner: MetadataScanner,
  decorator: DiscoverableDecorator<V>,
): MarkedMethod<H, V>[] {
  return discovery.getProviders().flatMap((wrapper) => {
    const instance = wrapper.instance as Record<string, H> | null;
    if (!instance || !wrapper.isDependencyTreeStatic()) return [];
    const names = scanner.getAllMethodNames(Object.getPrototypeOf(instance) as object);
    return names.flatMap((name) => {
      const value = discovery.getMetadataByDecorator(decorator, wrapper, name);
      if (value === undefined) return [];
      return [{ handler: (instance[name] as H).bind(instance) as H, value }];
    });
  });
}
