import { ref } from 'vue';

const query = window.matchMedia('(max-width: 640px)');
/** Whether the screen is a phone's: cards instead of tables, a bar at the foot. */
export const isNarrow = ref(query.matches);
query.addEventListener('change', ({ matches }) => (isNarrow.value = matches));
