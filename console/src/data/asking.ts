import { ref, shallowRef } from 'vue';

/** A question before something is done that cannot be taken back, or that others notice. */
export interface Question {
  title: string;
  /** What happens then. */
  text: string;
  /** The button: names the act and the thing, `Disable wx0123…`. */
  action: string;
  danger?: boolean;
  /** What has to be typed before the button works. */
  typed?: string;
}

export const question = shallowRef<Question | null>(null);
let answer: (yes: boolean) => void = () => undefined;

/** Asks, and resolves to whether the person said yes. */
export function confirm(asked: Question): Promise<boolean> {
  answer(false);
  question.value = asked;
  return new Promise((resolve) => {
    answer = resolve;
  });
}

/** For the dialog only. */
export function answerQuestion(yes: boolean): void {
  question.value = null;
  answer(yes);
}

export const steppingUp = ref(false);
let confirmed: ((done: boolean) => void)[] = [];

/** Has the person say the token or the password again; resolves to whether the hub took it. */
export function stepUp(): Promise<boolean> {
  steppingUp.value = true;
  return new Promise((resolve) => confirmed.push(resolve));
}

/** For the dialog only. */
export function endStepUp(done: boolean): void {
  steppingUp.value = false;
  for (const resolve of confirmed) resolve(done);
  confirmed = [];
}

export interface Toast {
  id: number;
  kind: 'good' | 'bad';
  text: string;
  /** The request's id, for support. */
  errorId?: string;
}
export const toasts = ref<Toast[]>([]);
let lastToast = 0;

/** Says how something went, in a corner. */
export const toast = {
  good: (text: string): void => add({ kind: 'good', text }),
  bad: (text: string, errorId?: string): void =>
    add({ kind: 'bad', text, ...(errorId && { errorId }) }),
};

function add(one: Omit<Toast, 'id'>): void {
  lastToast += 1;
  toasts.value = [...toasts.value.slice(-3), { ...one, id: lastToast }];
}

export function dismissToast(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}
