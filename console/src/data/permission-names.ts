import { permissionSet } from '../texts/permission-sets';
import { language } from './preferences';

/** The name of a permission set in the reader's language; an unknown one is its number. */
export function permissionName(id: number): string {
  return permissionSet(id)?.[language.value] ?? String(id);
}
