{$mode objfpc}{$H+}
program Main;
uses SysUtils, Classes, Roman;
var
  Line: string;
  Sorted: TStringList;
begin
  Sorted := TStringList.Create;
  Sorted.Sorted := True;
  while not EOF do
  begin
    ReadLn(Line);
    Sorted.Add(ToRoman(StrToInt(Trim(Line))));
  end;
  WriteLn(Sorted.CommaText);
  WriteLn('arguments: ', ParamCount, ' ', ParamStr(2));
  Sorted.Free;
end.
