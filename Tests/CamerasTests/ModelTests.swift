import Cameras
import Testing
import Vision

@Suite struct ModelTests {
  @Test func aFileThatIsNoNetworkIsRefusedWithItsReason() {
    #expect(throws: DetectorError.self) { try ModelDetector(path: #filePath) }
    #expect(throws: DetectorError.file("/nowhere is no readable file")) { try ModelDetector(path: "/nowhere") }
  }
}
