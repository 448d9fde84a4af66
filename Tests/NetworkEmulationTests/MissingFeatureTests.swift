import CNetworkEmulation
import Foundation
import Testing

@testable import NetworkEmulation

@Suite("A machine that cannot emulate a network says what is missing")
struct MissingFeatureTests {
    @Test(
        "The sysctl that forbids namespaces is named with the value to set",
        arguments: [
            ("user/max_user_namespaces", "0", ENOSPC, "sysctl user.max_user_namespaces=10000"),
            ("user/max_net_namespaces", "0", ENOSPC, "sysctl user.max_net_namespaces=10000"),
            ("kernel/unprivileged_userns_clone", "0", EPERM, "sysctl kernel.unprivileged_userns_clone=1"),
            (
                "kernel/apparmor_restrict_unprivileged_userns", "1", EPERM,
                "sysctl kernel.apparmor_restrict_unprivileged_userns=0"
            ),
        ]
    )
    func setting(name: String, value: String, code: CInt, advice: String) {
        for step in [CNetworkEmulation_step_user, CNetworkEmulation_step_identity, CNetworkEmulation_step_network] {
            let error = MissingFeature(step, code) { $0 == name ? value : nil }.error
            #expect(error.code == .unavailable)
            #expect(error.message.contains(advice), "\(error.message)")
        }
    }

    @Test("A refusal that no sysctl explains is a container's filter")
    func seccomp() {
        let error = MissingFeature(CNetworkEmulation_step_user, EPERM) { _ in nil }.error
        #expect(error.message.contains("seccomp"))
    }

    @Test(
        "A missing TUN device and a closed one are told apart",
        arguments: [(ENOENT, "modprobe tun"), (EACCES, "chmod")]
    )
    func device(code: CInt, advice: String) {
        let error = MissingFeature(CNetworkEmulation_step_tun, code) { _ in nil }.error
        #expect(error.message.contains("/dev/net/tun"))
        #expect(error.message.contains(advice))
    }
}
