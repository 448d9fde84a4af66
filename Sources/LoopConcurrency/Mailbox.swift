import NIOCore
import Synchronization

/// A queue from an event loop to one task, with back pressure by watermarks.
///
/// It wraps NIO's producer, whose type must not appear in public API. The loop offers elements through `source`; one
/// task at a time iterates the mailbox, and who has stopped iterating may begin again where it was. When the consumer
/// has emptied the queue below the low watermark it calls `onDemand`; when it ends early (a task was cancelled while it
/// waited, or the mailbox and its iterators are gone) it calls `onTermination`.
public struct Mailbox<Element: Sendable>: AsyncSequence, Sendable {
    fileprivate typealias Strategy = NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark
    fileprivate typealias Producer = NIOAsyncSequenceProducer<Element, Strategy, Delegate>

    /// The end that the event loop holds.
    public struct Source: Sendable {
        private let source: NIOAsyncSequenceProducer<Element, Strategy, Delegate>.Source

        fileprivate init(_ source: NIOAsyncSequenceProducer<Element, Strategy, Delegate>.Source) {
            self.source = source
        }

        /// Adds an element. The answer says whether the consumer keeps up.
        @discardableResult
        public func offer(_ element: Element) -> Offer {
            switch self.source.yield(element) {
            case .produceMore: .wantsMore
            case .stopProducing: .full
            case .dropped: .ended
            }
        }

        /// Ends the sequence after the elements that are queued.
        public func finish() {
            self.source.finish()
        }
    }

    /// What became of an element.
    public enum Offer: Hashable, Sendable {
        /// Queued; there is room for more.
        case wantsMore
        /// Queued; wait for `onDemand` before offering more.
        case full
        /// Dropped: the consumer is gone.
        case ended
    }

    private let reader: Reader
    /// The loop's end. The mailbox finishes when the last copy of its source is gone.
    public let source: Source

    /// - Parameters:
    ///   - lowWatermark: the number of queued elements below which the consumer wants more.
    ///   - highWatermark: the number of queued elements from which it is full.
    ///   - onDemand: the queue has fallen below the low watermark. Called on the consumer's thread.
    ///   - onTermination: the consumer is gone. Called on its thread.
    public init(
        lowWatermark: Int,
        highWatermark: Int,
        onDemand: @escaping @Sendable () -> Void = {},
        onTermination: @escaping @Sendable () -> Void = {}
    ) {
        let made = NIOAsyncSequenceProducer.makeSequence(
            elementType: Element.self,
            backPressureStrategy: Strategy(lowWatermark: lowWatermark, highWatermark: highWatermark),
            finishOnDeinit: true,
            delegate: Delegate(onDemand: onDemand, onTermination: onTermination)
        )
        self.reader = Reader(made.sequence.makeAsyncIterator())
        self.source = Source(made.source)
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(reader: self.reader)
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let reader: Reader

        /// The next element; nil at the end, and when another task waits for one.
        @concurrent public mutating func next() async -> Element? {
            await self.reader.next()
        }
    }

    /// The consumer's end, which all iterators share: NIO's producer makes one, and ends the program for a second one.
    fileprivate final class Reader: Sendable {
        // Used by one task at a time.
        private nonisolated(unsafe) let iterator: Producer.AsyncIterator
        private let isReading = Atomic(false)

        init(_ iterator: Producer.AsyncIterator) {
            self.iterator = iterator
        }

        // NIO's iterator is compiled without NonisolatedNonsendingByDefault, hence `@concurrent`; the task executor
        // preference keeps it on the loop all the same.
        @concurrent func next() async -> Element? {
            let (isFree, _) = self.isReading.compareExchange(expected: false, desired: true, ordering: .acquiring)
            guard isFree else { return nil }
            defer { self.isReading.store(false, ordering: .releasing) }
            return await self.iterator.next()
        }
    }

    fileprivate struct Delegate: NIOAsyncSequenceProducerDelegate {
        let onDemand: @Sendable () -> Void
        let onTermination: @Sendable () -> Void

        func produceMore() { self.onDemand() }
        func didTerminate() { self.onTermination() }
    }
}
