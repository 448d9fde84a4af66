/// What the driver calls with each of the fuzzer's inputs (`Driver/fuzz.c`).
/// - Returns: 0, or -1 when no target has the name.
@_cdecl("apus_fuzz")
public func fuzz(_ name: UnsafePointer<CChar>, _ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let name = String(cString: name)
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else { return -1 }
    do {
        try target.check(UnsafeRawBufferPointer(start: bytes, count: count))
    } catch {
        // The fuzzer keeps the input of a program that ends so.
        fatalError("\(error)")
    }
    return 0
}
