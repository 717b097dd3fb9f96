/** Values of MsgType, Event and InfoType that are common; `messages.types` of the catalogues names them. */
export const PUSH_TYPES = (
  'text image voice video location link miniprogrampage subscribe unsubscribe SCAN CLICK VIEW ' +
  'TEMPLATESENDJOBFINISH user_enter_tempsession component_verify_ticket authorized updateauthorized ' +
  'unauthorized'
).split(' ');
