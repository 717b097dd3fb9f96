import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query';
import { createApp } from 'vue';
import App from './app.vue';
import { stepUp } from './data/asking';
import { onRefusal } from './data/api';
import { session } from './data/session';
import { router } from './router';
import './styles/tokens.css';
import './styles/elements.css';
import { textsAreThere } from './texts';

const queryClient = new QueryClient();

onRefusal({
  confirm: stepUp,
  signedOut: () => {
    const { fullPath, meta } = router.currentRoute.value;
    session.value = null;
    // What one person was shown is not the next one's.
    queryClient.clear();
    if (!meta.open) void router.push({ name: 'signIn', query: { back: fullPath } });
  },
});

await textsAreThere;
createApp(App).use(router).use(VueQueryPlugin, { queryClient }).mount('#app');
