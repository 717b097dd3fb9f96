/** A command cannot be done as it was given; the message is a line for the person who gave it. */
export class CommandError extends Error {}
