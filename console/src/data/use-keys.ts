import { onScopeDispose } from 'vue';

/** Whether a key is for something that is typed into, or for a dialog or menu that is open. */
export function isTaken(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement | null;
  return (
    event.defaultPrevented ||
    event.altKey ||
    target?.closest('input, select, textarea, [contenteditable], [role=menu]') !== null ||
    document.querySelector('[role=dialog], [role=alertdialog], [role=menu]') !== null
  );
}

/** Listens to keys of the whole page while the part that calls it is shown. */
export function useKeys(listen: (event: KeyboardEvent) => void): void {
  document.addEventListener('keydown', listen);
  onScopeDispose(() => document.removeEventListener('keydown', listen));
}
