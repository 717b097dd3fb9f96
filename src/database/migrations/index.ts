import { CreateHub1763798400000 } from './1763798400000-create-hub.js';
import { CreateAuthorizers1763884800000 } from './1763884800000-create-authorizers.js';
import { CreateDeliveries1763971200000 } from './1763971200000-create-deliveries.js';
import { AddPushProblem1764100000000 } from './1764100000000-add-push-problem.js';
import { CreateRefusedPushes1764110000000 } from './1764110000000-create-refused-pushes.js';
import { CreateWriteProbe1764120000000 } from './1764120000000-create-write-probe.js';
import { AddSplitText1764140000000 } from './1764140000000-add-split-text.js';
import { AddLastUses1764150000000 } from './1764150000000-add-last-uses.js';
import { BindAuthorizationResults1764160000000 } from './1764160000000-bind-authorization-results.js';
import { CreateApiKeys1764170000000 } from './1764170000000-create-api-keys.js';
import { CreateStatistics1764180000000 } from './1764180000000-create-statistics.js';
import { CreateJsTickets1764190000000 } from './1764190000000-create-js-tickets.js';
import { AddWechatFormat1764200000000 } from './1764200000000-add-wechat-format.js';
import { AddDeliveryFacts1764260000000 } from './1764260000000-add-delivery-facts.js';
import { CreateSessions1764270000000 } from './1764270000000-create-sessions.js';
import { CreateReleaseCheckRuns1764280000000 } from './1764280000000-create-release-check-runs.js';
import { IndexAuthorizationCodes1764285000000 } from './1764285000000-index-authorization-codes.js';
import { AddAccountFacts1764290000000 } from './1764290000000-add-account-facts.js';
import { CreateHosts1764300000000 } from './1764300000000-create-hosts.js';
import { IndexWhatIsRare1764310000000 } from './1764310000000-index-what-is-rare.js';
import { OneKeyOfPushes1764320000000 } from './1764320000000-one-key-of-pushes.js';
import { IndexWhatIsLookedFor1764330000000 } from './1764330000000-index-what-is-looked-for.js';

/** Every migration, in order. Listed by hand: globs of files do not load in every runner. */
export const migrations = [
  CreateHub1763798400000,
  CreateAuthorizers1763884800000,
  CreateDeliveries1763971200000,
  AddPushProblem1764100000000,
  CreateRefusedPushes1764110000000,
  CreateWriteProbe1764120000000,
  AddSplitText1764140000000,
  AddLastUses1764150000000,
  BindAuthorizationResults1764160000000,
  CreateApiKeys1764170000000,
  CreateStatistics1764180000000,
  CreateJsTickets1764190000000,
  AddWechatFormat1764200000000,
  AddDeliveryFacts1764260000000,
  CreateSessions1764270000000,
  CreateReleaseCheckRuns1764280000000,
  IndexAuthorizationCodes1764285000000,
  AddAccountFacts1764290000000,
  CreateHosts1764300000000,
  IndexWhatIsRare1764310000000,
  OneKeyOfPushes1764320000000,
  IndexWhatIsLookedFor1764330000000,
];
