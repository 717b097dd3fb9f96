import { ref } from 'vue';

/**
 * Whether the person knows that opening the content of a push is recorded. Said once, until the page
 * is loaded again.
 */
export const knowsReadingIsRecorded = ref(false);
