import NIOCore

/// A queue from an event loop to one task, with back pressure by watermarks.
///
/// It wraps NIO's producer, whose type must not appear in public API. The loop offers elements through `source`; one
/// task iterates the mailbox, once. When the consumer has emptied the queue below the low watermark it calls
/// `onDemand`; when it ends early (cancelled, or the iterator was dropped) it calls `onTermination`.
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

    private let producer: Producer
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
        self.producer = made.sequence
        self.source = Source(made.source)
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: self.producer.makeAsyncIterator())
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        private var base: NIOAsyncSequenceProducer<Element, Strategy, Delegate>.AsyncIterator

        fileprivate init(base: NIOAsyncSequenceProducer<Element, Strategy, Delegate>.AsyncIterator) {
            self.base = base
        }

        // NIO's iterator is compiled without NonisolatedNonsendingByDefault, hence `@concurrent`; the task executor
        // preference keeps it on the loop all the same.
        @concurrent public mutating func next() async -> Element? {
            await self.base.next()
        }
    }

    fileprivate struct Delegate: NIOAsyncSequenceProducerDelegate {
        let onDemand: @Sendable () -> Void
        let onTermination: @Sendable () -> Void

        func produceMore() { self.onDemand() }
        func didTerminate() { self.onTermination() }
    }
}
