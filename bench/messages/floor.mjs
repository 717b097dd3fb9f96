/** Floor of the messages: nothing is kept. */
import { serveFloor } from '../lib/floor.mjs';

serveFloor(({ outer, inner }) => {
  if (inner.ToUserName !== outer.ToUserName) throw new Error('Wrong account');
});
