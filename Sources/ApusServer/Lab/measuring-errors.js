/** What can be wrong with a measurement, apart from sessions that fail. */

/** What came back is not what was sent. */
export class MismatchError extends Error {
  name = "MismatchError";
}

/** A message that is larger than a datagram can be. */
export class TooLargeError extends RangeError {
  name = "TooLargeError";
}

/** This browser, or this program, cannot do what it is asked to. */
export class UnsupportedError extends Error {
  name = "UnsupportedError";
}
