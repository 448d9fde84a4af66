/// Which connection a connection ID belongs to.
///
/// A connection has several routes: the ID that the client chose first, and each ID issued to the peer (RFC 9000
/// § 5.1). Only the owner of a route may remove it: two clients may choose the same first ID. All operations take
/// constant time. Hashing is seeded, so that nobody can choose IDs that collide.
package struct ConnectionTable<Owner: AnyObject> {
    private var routes: [ConnectionID: Owner] = [:]

    package init() {}

    package var count: Int { self.routes.count }

    package subscript(id: ConnectionID) -> Owner? { self.routes[id] }

    /// - Returns: false when the ID already leads to another connection; the table is unchanged then.
    @discardableResult
    package mutating func add(_ id: ConnectionID, for owner: Owner) -> Bool {
        if let present = self.routes[id] { return present === owner }
        self.routes[id] = owner
        return true
    }

    package mutating func remove(_ id: ConnectionID, of owner: Owner) {
        guard let present = self.routes[id], present === owner else { return }
        self.routes[id] = nil
    }
}
