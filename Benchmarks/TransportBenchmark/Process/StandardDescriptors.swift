import Glibc

/// The standard descriptors of a program that is about to start.
struct StandardDescriptors {
    /// What the program gets: input, output, errors.
    let all: [CInt]
    let outputReadEnd: CInt
    private let owned: [CInt]

    /// - Throws: `BenchmarkError` with `unavailable`; nothing is open then.
    init(_ errors: ChildProcess.ErrorOutput, input: CInt?) throws(BenchmarkError) {
        var opened: [CInt] = []
        do throws(BenchmarkError) {
            let source: CInt
            if let input { source = input } else { source = try Self.open("/dev/null", O_RDONLY, &opened) }
            let error: CInt
            switch errors {
            case .inherited: error = STDERR_FILENO
            case .log(let path): error = try Self.open(path, O_WRONLY | O_CREAT | O_TRUNC, &opened)
            }
            let output = try PrivatePipe()
            (self.all, self.outputReadEnd) = ([source, output.writeEnd, error], output.readEnd)
            self.owned = opened + [output.writeEnd]
        } catch {
            for descriptor in opened { Glibc.close(descriptor) }
            throw error
        }
    }

    private static func open(
        _ path: String,
        _ flags: CInt,
        _ opened: inout [CInt]
    ) throws(BenchmarkError) -> CInt {
        let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw BenchmarkError(.unavailable, "\(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        opened.append(descriptor)
        return descriptor
    }

    /// Closes what was opened for the program, which has copies.
    func close() {
        for descriptor in self.owned { Glibc.close(descriptor) }
    }
}
