import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import Bench

@Suite struct MachineTests {
  @Test func findsTheProcessThatListens() async throws {
    let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(server.localAddress?.port)
    #expect(ProcessFile.listener(port: port) == getpid())
    try await server.close()
    #expect(ProcessFile.listener(port: port) == nil)
  }

  /// A table as proc(5) and the kernel's proc_net_tcp.rst describe it: only listening sockets of the port count.
  @Test func readsTheTableOfSockets() {
    let table = """
        sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
         0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
         1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1
         2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0
      """
    #expect(ProcessFile.inodes(table, port: 8080) == ["socket:[4711]"])
    #expect(ProcessFile.inodes(table, port: 80) == [])
  }

  /// Three ways to the same time: the process's clock, the ticks of /proc, and getrusage.
  @Test func processorTimeIsTheKernels() throws {
    let clock = try ProcessClock(pids: [getpid()])
    func usage() -> Double {
      var usage = rusage()
      getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
      return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }
    let begin = (try #require(clock.nanoseconds()), usage(), try #require(ProcessClock.ticks(getpid())))
    var bits: UInt64 = 1
    let thread = ProcessClock.thisThread()
    while ProcessClock.thisThread() - thread < 300_000_000 { bits = Device.mix(bits) }
    let byClock = Double(try #require(clock.nanoseconds()) - begin.0) / 1e9
    let byTicks = Double(try #require(ProcessClock.ticks(getpid())) - begin.2) / 1e9
    #expect(bits != 0 && byClock >= 0.3)
    #expect(abs(byClock - (usage() - begin.1)) < 0.05 + byClock * 0.1)
    #expect(abs(byClock - byTicks) < 0.05 + byClock * 0.1)
  }

  @Test func aProcessThatIsNotThereIsRefused() {
    #expect(throws: BenchError.self) { try ProcessClock(pids: [Int32.max]) }
  }

  @Test func memoryIsTold() throws {
    let resident = try #require(ProcessFile.memory(getpid(), "VmRSS"))
    #expect(resident > 1_000_000)
    #expect(try #require(ProcessFile.memory(getpid(), "VmHWM")) >= resident / 2)
    #expect(ProcessFile.memory(getpid(), "VmNothing") == nil)
  }
}
