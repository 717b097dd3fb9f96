/** Floor of the ticket push: the ticket is kept in a variable. */
import { serveFloor } from '../lib/floor.mjs';
import { COMPONENT } from '../lib/settings.mjs';

const tickets = new Map();

serveFloor(({ inner }) => {
  if (inner.AppId !== COMPONENT.appid) throw new Error('Wrong AppId');
  tickets.set(inner.AppId, inner.ComponentVerifyTicket);
});
