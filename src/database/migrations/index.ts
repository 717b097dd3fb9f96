import { CreateHub1763798400000 } from './1763798400000-create-hub.js';
import { CreateAuthorizers1763884800000 } from './1763884800000-create-authorizers.js';
import { CreateDeliveries1763971200000 } from './1763971200000-create-deliveries.js';
import { AddSplitText1764140000000 } from './1764140000000-add-split-text.js';

/** Every migration, in order. Listed by hand: globs of files do not load in every runner. */
export const migrations = [
  CreateHub1763798400000,
  CreateAuthorizers1763884800000,
  CreateDeliveries1763971200000,
  AddSplitText1764140000000,
];
