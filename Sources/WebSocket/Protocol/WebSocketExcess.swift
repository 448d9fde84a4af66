/// What the peer of a WebSocket did too much of, or too little, so that its session ended. The raw values stand in
/// metrics.
enum WebSocketExcess: String, CaseIterable {
    /// Frames that bring nothing: see `IdleFrames`.
    case idleFrames = "idle_frames"
    /// It leaves what it is sent unread.
    case unread
}
