import { CreateHub1763798400000 } from './1763798400000-create-hub.js';

/** Every migration, in order. Listed by hand: globs of files do not load in every runner. */
export const migrations = [CreateHub1763798400000];
